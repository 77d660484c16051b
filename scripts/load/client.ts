import { Pool } from 'undici';

export interface Request {
  readonly method: 'GET' | 'POST';
  /** With its query, such as `/api/tasks?limit=1`. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer, or why there is none. */
export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string }
  | { readonly kind: 'failed'; readonly reason: string }
  /** Given up by us, at the end of the run. */
  | { readonly kind: 'cut off' };

export interface Client {
  /** Never rejects. */
  ask(request: Request): Promise<Answer>;
  /** Gives up every open request. No other may be asked. */
  cutOff(): Promise<void>;
}

export interface ClientOptions {
  readonly url: string;
  readonly key: string | undefined;
  readonly connections: number;
  /** For an answer's headers, and then for its body. */
  readonly timeoutMs: number;
}

/** A client with a connection for each open request, so that none waits for another one's answer. */
export function openClient({ url, key, connections, timeoutMs }: ClientOptions): Client {
  const base = new URL(url);
  const prefix = base.pathname.replace(/\/$/, '');
  const pool = new Pool(base.origin, {
    connections,
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: timeoutMs },
  });
  let cut = false;
  const usual = { ...(key !== undefined && { authorization: `Bearer ${key}` }) };
  return {
    async ask({ method, path, body, headers }) {
      try {
        const { statusCode, body: answer } = await pool.request({
          method,
          path: `${prefix}${path}`,
          headers: {
            ...usual,
            ...headers,
            ...(body ? { 'content-type': 'application/json' } : {}),
          },
          body: body ? JSON.stringify(body) : null,
        });
        return { kind: 'answered', status: statusCode, body: await answer.text() };
      } catch (error) {
        return cut ? { kind: 'cut off' } : { kind: 'failed', reason: reasonOf(error) };
      }
    },
    cutOff() {
      cut = true;
      return pool.destroy();
    },
  };
}

/** What undici's own codes mean. */
const REASONS: Readonly<Record<string, string>> = {
  UND_ERR_HEADERS_TIMEOUT: 'timed out',
  UND_ERR_BODY_TIMEOUT: 'timed out',
  UND_ERR_CONNECT_TIMEOUT: 'timed out connecting',
  UND_ERR_SOCKET: 'connection closed',
};

/** A code such as `ECONNREFUSED`: messages would name ports and addresses, each its own. */
function reasonOf(error: unknown): string {
  // Where a name has several addresses, there is an error for each.
  const [first] = error instanceof AggregateError ? error.errors : [error];
  const { code, name } = (first ?? error) as { code?: string; name?: string };
  return REASONS[code ?? ''] ?? code ?? name ?? 'unknown';
}
