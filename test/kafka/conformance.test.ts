import { afterAll, beforeAll } from 'vitest';
import { Broker } from '../broker/broker.js';
import { contractTests } from '../../src/testing/contract/index.js';
import { kafkaSubject } from './subject.js';

let broker: Broker;

beforeAll(async () => {
  broker = await Broker.start();
});

afterAll(() => broker?.stop());

contractTests('kafka', () => kafkaSubject(broker), ['faults']);
