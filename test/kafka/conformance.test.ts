import { afterAll, beforeAll } from 'vitest';
import { Broker } from '../broker/broker.js';
import { contractTests } from '../transport/conformance.js';
import { kafkaSubject } from './subject.js';

let broker: Broker;

beforeAll(async () => {
  broker = await Broker.start();
});

afterAll(() => broker?.stop());

contractTests('kafka', () => kafkaSubject(broker), ['faults']);
