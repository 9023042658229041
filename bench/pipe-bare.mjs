// The same five steps without Penstock: read, parse, decide, write. Node's own streams, one string a chunk.
import { openSync, writeSync } from 'node:fs';

const actionsFile = openSync(process.argv[2], 'w');
const left = { delivered: 0, filtered: 0, retried: 0, dead_lettered: 0, released: 0 };
let entered = 0;
let number = 0;
let actions = '';

const told = (message, plugin, topic, payload) => {
  const params = { topic, payload, key: message.trace_id, headers: {} };
  actions += `${JSON.stringify({ line: number, event_id: message.trace_id, plugin, type: 'publish_to_topic', params })}\n`;
};

const alert = ({ trace_id, assignment_id, error_message, retry_count, http_status }, high) => ({
  alert_type: 'download_failure',
  severity: retry_count >= high ? 'high' : 'medium',
  trace_id,
  assignment_id,
  error_message,
  retry_count,
  http_status,
});

function passes(message) {
  if (message.file_type === 'CSV') return false;
  if (message.status === 'completed' && message.file_type.toLowerCase() === 'esx')
    told(message, 'esx_processor', 'xact.esx.processing', message);
  if (message.status === 'failed_permanent') {
    if (message.retry_count >= 3) told(message, 'failure_alerter', 'xact.alerts.failures', alert(message, 5));
    if (message.retry_count >= 4) told(message, 'slow_failures', 'xact.alerts.slow', alert(message, 6));
  }
  if (message.status === 'completed' && message.status_subtype === 'estimateCreated') {
    told(message, 'status_subtype_router', 'xact.estimates.received', message);
    told(message, 'status_subtype_router', 'xact.estimates.audit', message);
  }
  return true;
}

let rest = '';
process.stdin.setEncoding('utf8');
for await (const chunk of process.stdin) {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  let out = '';
  for (const line of lines) {
    number += 1;
    entered += 1;
    if (passes(JSON.parse(line))) {
      left.delivered += 1;
      out += `${line}\n`;
    } else left.filtered += 1;
  }
  if (out !== '' && !process.stdout.write(out)) await new Promise((resolve) => process.stdout.once('drain', resolve));
  if (actions !== '') {
    writeSync(actionsFile, actions);
    actions = '';
  }
}
process.stderr.write(`${JSON.stringify({ entered, left })}\n`);
