import type { APIGatewayProxyEventV2 } from 'aws-lambda';

/** What a request says about who it comes from. */
export type Credentials =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'none' }
  /** Of another kind, such as `Basic`. */
  | { readonly kind: 'foreign' };

/** The header `Authorization: Bearer ...`; the scheme is in upper or lower case (RFC 9110, 11.1). */
export function credentialsOf({ headers }: APIGatewayProxyEventV2): Credentials {
  const { authorization = '' } = headers;
  const [scheme, ...rest] = authorization.trim().split(/\s+/);
  if (!scheme) return { kind: 'none' };
  if (scheme.toLowerCase() !== 'bearer') return { kind: 'foreign' };
  return { kind: 'token', token: rest.join(' ') };
}

/** The header with which RFC 6750 tells a client what it lacks. */
export function challenge(params: Readonly<Record<string, string>> = {}): Record<string, string> {
  const written = Object.entries({ realm: 'errand', ...params });
  const list = written.map(([name, value]) => `${name}="${value}"`).join(', ');
  return { 'www-authenticate': `Bearer ${list}` };
}
