export { contexts, fromSchema, type Generated, property, type PropertyOptions, type XactContexts } from './arbitraries.js';
export { type Check, Expecting, type Letters, MarbleCase, type MockCalls } from './marble-case.js';
export { marbleCase, marbleTest, mockWebhook } from './marble-test.js';
export { assertPluginResult, type ExpectedResult, type PluginRun, type Runnable, runPlugin } from './plugin-run.js';
export { type RecordedAction, recordedActions } from './recorded-actions.js';
export { createTestContext, type TestContextFields, xactContext, type XactContextFields } from './test-context.js';
