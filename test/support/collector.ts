import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from './eventually.ts';
import { decodeSpans, type ExportedSpan } from './otlp.ts';

/** A collector of traces, as `OTEL_EXPORTER_OTLP_ENDPOINT` names one. */
export interface Collector {
  readonly url: string;
  /** All spans that were exported so far. */
  readonly spans: readonly ExportedSpan[];
  /** All bytes of them, for what must not be in there. */
  text(): string;
  /** Resolves with the spans of a trace, as soon as they are as they should be. */
  trace(traceId: string, check: (spans: readonly ExportedSpan[]) => void): Promise<void>;
  close(): Promise<void>;
}

/** Receives OTLP over HTTP, in Protocol Buffers. */
export async function startCollector(): Promise<Collector> {
  const spans: ExportedSpan[] = [];
  const bodies: Buffer[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts);
    if (request.url !== '/v1/traces' || request.headers['content-type'] !== PROTOBUF) {
      response.writeHead(415).end();
      return;
    }
    bodies.push(body);
    spans.push(...decodeSpans(body));
    response.writeHead(200, { 'content-type': PROTOBUF }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    text: () => Buffer.concat(bodies).toString('latin1'),
    trace: (traceId, check) =>
      eventually(() => check(spans.filter((span) => span.traceId === traceId)), 20_000),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

const PROTOBUF = 'application/x-protobuf';
