import { AsyncLocalStorage } from 'node:async_hooks';
import { inLogContext, outsideLogContext } from './log-context.ts';

/** Under the names of OpenTelemetry's semantic conventions, or `errand.`. Never what a caller sent. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

export interface SpanOptions {
  readonly name: string;
  readonly kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal';
  readonly attributes?: Attributes;
  /** The `traceparent` of what caused it elsewhere; else it is a part of what runs. */
  readonly causedBy?: string | null | undefined;
  /** Others that have to do with it, by their `traceparent`. */
  readonly links?: readonly string[];
}

/** A span that has begun. */
export interface Span {
  readonly traceId: string;
  /** As in the header of https://www.w3.org/TR/trace-context/. */
  readonly traceparent: string;
  /** With an `error.type`, the span has failed. */
  set(attributes: Attributes): void;
  link(traceparent: string): void;
  end(error?: unknown): void;
}

/** Where spans go. */
export interface Tracer {
  /** `parent` is a span of this process, or the `traceparent` of another. */
  begin(options: SpanOptions, parent: Span | string | undefined): Span;
  /** Resolves when what has ended is sent, or cannot be. */
  flush(): Promise<void>;
  /** The same where a process may be frozen as soon as it has answered; else it does nothing. */
  invocationEnded(): Promise<void>;
}

const current = new AsyncLocalStorage<Span | undefined>();
let tracer: Tracer | undefined;

/** From now on, spans of this process go there. Before, there are none and they cost nothing. */
export function traceTo(to: Tracer | undefined): void {
  tracer = to;
}

/** Runs `work` as a span, and what it calls as parts of it. It has failed when `work` rejects. */
export async function inSpan<T>(options: SpanOptions, work: () => Promise<T>): Promise<T> {
  if (!tracer) return work();
  const parent = current.getStore();
  const span = tracer.begin(options, options.causedBy ?? parent);
  const run = () => current.run(span, work);
  try {
    const result = await (span.traceId === parent?.traceId
      ? run()
      : inLogContext({ traceId: span.traceId }, run));
    span.end();
    return result;
  } catch (error) {
    span.end(error);
    throw error;
  }
}

/** A span without parts, ended by what this returns. What runs outside of any span has none. */
export function beginPart(options: SpanOptions): (error?: unknown) => void {
  const parent = current.getStore();
  if (!tracer || !parent) return nothing;
  const span = tracer.begin(options, parent);
  return (error) => span.end(error);
}

function nothing(): void {}

/** Says more about the span that runs, if there is one. */
export function describeSpan(attributes: Attributes): void {
  current.getStore()?.set(attributes);
}

/** Links the span that runs with another trace; with its own it is connected already. */
export function linkSpan(traceparent: string | null): void {
  const span = current.getStore();
  if (span && traceparent && !traceparent.includes(span.traceId)) span.link(traceparent);
}

/** The `traceparent` of what runs, for whoever goes on with it; undefined outside of any span. */
export function traceparent(): string | undefined {
  return current.getStore()?.traceparent;
}

/** For what serves many at once: no part of any of their spans, nor a line of theirs. */
export function outsideSpans<T>(work: () => T): T {
  return outsideLogContext(() => current.run(undefined, work));
}

/** At the end of an invocation, after which the process may be frozen. */
export async function sendSpans(): Promise<void> {
  await tracer?.invocationEnded();
}

/** For the end of a process. */
export async function flushSpans(): Promise<void> {
  await tracer?.flush();
}
