import type { Catalogue } from '../src/plugin/index.js';
import { auditLogger } from './audit-logger.js';
import { customMetrics } from './custom-metrics.js';
import { esxProcessor } from './esx-processor.js';
import { eventFilter } from './event-filter.js';
import { failureAlerter } from './failure-alerter.js';
import { genericAlerter } from './generic-alerter.js';
import { statusSubtypeRouter } from './status-subtype-router.js';
import { statusTrigger } from './status-trigger.js';
import { webhookNotification } from './webhook-notification.js';

/** The built-in plugins by the names that files may call them: their own, older ones, and those of the classes they were. */
export const builtIns: Catalogue = {
  event_filter: eventFilter,
  custom_filter: eventFilter,
  webhook_notification: webhookNotification,
  custom_metrics: customMetrics,
  audit_logger: auditLogger,
  esx_processor: esxProcessor,
  failure_alerter: failureAlerter,
  status_subtype_router: statusSubtypeRouter,
  status_trigger: statusTrigger,
  generic_alerter: genericAlerter,
  EventFilterPlugin: eventFilter,
  CustomFilterPlugin: eventFilter,
  WebhookNotificationPlugin: webhookNotification,
  MetricsPlugin: customMetrics,
  CustomMetricsPlugin: customMetrics,
  AuditLoggerPlugin: auditLogger,
  EsxProcessorPlugin: esxProcessor,
  FailureAlerterPlugin: failureAlerter,
  StatusSubtypeRouterPlugin: statusSubtypeRouter,
  StatusTriggerPlugin: statusTrigger,
  GenericAlerterPlugin: genericAlerter,
};
