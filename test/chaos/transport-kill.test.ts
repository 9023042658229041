import { killTests } from './transport-kill.js';

killTests(Number(process.env['PENSTOCK_KILLS'] ?? 30));
