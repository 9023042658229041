import { z } from 'zod';
import { AUTH_TYPES, type ConnectionConfig, HTTP_METHODS } from './pipeline-config.js';
import { duration } from './quantities.js';
import { count } from './written.js';

const oauth2 = z
  .strictObject({
    grant_type: z.literal('client_credentials').default('client_credentials').describe('How a token is asked for.'),
    client_id: z.string().min(1).describe('The client.'),
    client_credential: z.string().min(1).describe('Its secret; write a variable.'),
    token_url: z.url({ protocol: /^https?$/ }).describe('Where tokens are given.'),
    scope: z.string().optional().describe('What the token is for.'),
  })
  .meta({ title: 'oauth2' });

const connection = z
  .strictObject({
    name: z.string().min(1).optional().describe('The name that plugins use; the key when nothing is said.'),
    base_url: z.url({ protocol: /^https?$/ }).describe('Where the service is; a path is put behind it.'),
    auth_type: z.enum(AUTH_TYPES).default('none').describe('How a request shows who asks.'),
    auth_token: z.string().optional().describe('The token, or the base64 of user and password for basic; write a variable.'),
    auth_header: z.string().min(1).optional().describe('The header that carries the token where it is not the usual one.'),
    timeout_seconds: duration().prefault(30).describe('The longest a request may take.'),
    max_retries: count(1, 100).default(3).describe('Attempts in total.'),
    retry_backoff_base: duration().prefault(2).describe('The first pause between attempts.'),
    retry_backoff_max: duration().prefault(60).describe('The longest pause between attempts.'),
    headers: z.record(z.string(), z.string()).default({}).describe('Headers of every request.'),
    endpoint: z.string().optional().describe('The path of a request that names none.'),
    method: z.enum(HTTP_METHODS).default('POST').describe('The method of a request that names none.'),
    oauth2: oauth2.optional().describe('Client credentials, for auth_type oauth2.'),
  })
  .meta({ title: 'a connection' })
  .superRefine((value, context) => {
    const needs = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message, params: { code: 'PS1101' } });
    if (value.auth_type === 'oauth2' && value.oauth2 === undefined) needs('oauth2', 'auth_type oauth2 needs the key "oauth2"');
    if (['bearer', 'basic', 'api_key'].includes(value.auth_type) && !value.auth_token)
      needs('auth_token', `auth_type ${value.auth_type} needs the key "auth_token"`);
  });

/** The schema of a connections file. */
export const connectionsSchema = z
  .strictObject({ connections: z.record(z.string(), connection).default({}).describe('Named HTTP services by key.') })
  .meta({ title: 'the connections file' });

export type WrittenConnection = z.output<typeof connection>;

/** A connection as code uses it. */
export function toConnection(key: string, written: WrittenConnection): ConnectionConfig {
  return {
    name: written.name ?? key,
    baseUrl: written.base_url.replace(/\/+$/, ''),
    authType: written.auth_type,
    authToken: written.auth_token,
    authHeader: written.auth_header,
    timeoutMs: written.timeout_seconds,
    maxRetries: written.max_retries,
    retryBackoffBaseMs: written.retry_backoff_base,
    retryBackoffCapMs: written.retry_backoff_max,
    headers: written.headers,
    endpoint: written.endpoint,
    method: written.method,
    oauth2:
      written.oauth2 === undefined
        ? undefined
        : {
            grantType: written.oauth2.grant_type,
            clientId: written.oauth2.client_id,
            clientCredential: written.oauth2.client_credential,
            tokenUrl: written.oauth2.token_url,
            scope: written.oauth2.scope,
          },
  };
}
