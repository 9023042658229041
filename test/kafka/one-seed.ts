import { seedOfRun, WHOLE } from './scale.js';

/** All files of a run draw from one seed, so that a run can be had again by it. */
export default function setup(): void {
  process.env['PENSTOCK_SEED'] = String(seedOfRun());
  console.log(`PENSTOCK_SEED=${process.env['PENSTOCK_SEED']}${WHOLE ? ' PENSTOCK_KAFKA_CHAOS=whole' : ''}`);
}
