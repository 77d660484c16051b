import {
  type Context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { reportingExporter } from './exporter-reports.ts';
import type { Logger } from './logger.ts';
import type { Span, Tracer } from './tracing.ts';

export interface OpenTelemetryOptions {
  readonly sampler: string;
  /** Of the sampler, 0 to 1. */
  readonly ratio: number;
  /** On Lambda, which freezes a process that has answered: each invocation sends its spans first. */
  readonly perInvocation: boolean;
  readonly logger: Logger;
}

/** On Lambda, the caller waits for an export, tries included. */
const INVOCATION_EXPORT_MS = 1000;
/** And for no other one so soon after one that failed. */
const PAUSE_MS = 30_000;

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
};

/**
 * Sends spans to the collector that the variables of OpenTelemetry name: in batches, in the background,
 * and not at all while it is away and 2,048 of them wait.
 */
export function openTelemetry(options: OpenTelemetryOptions): Tracer {
  const { logger, perInvocation } = options;
  const exporter = new OTLPTraceExporter(
    perInvocation ? { timeoutMillis: INVOCATION_EXPORT_MS } : {},
  );
  const provider = new TracerProvider({
    sampler: samplerOf(options),
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': 'errand' }))
      .merge(
        detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] }),
      ),
    spanProcessors: [new BatchSpanProcessor({ exporter: reportingExporter(exporter, logger) })],
  });
  const tracer = provider.getTracer('errand');
  const contexts = new WeakMap<Span, Context>();
  let pausedUntil = 0;

  /** Of what is no `traceparent`, nothing: whoever sends one begins a new trace. */
  function contextOf(parent: Span | string | undefined): Context {
    if (parent === undefined) return ROOT_CONTEXT;
    if (typeof parent !== 'string') return contexts.get(parent) ?? ROOT_CONTEXT;
    const remote = remoteContext(parent);
    return remote ? trace.setSpanContext(ROOT_CONTEXT, remote) : ROOT_CONTEXT;
  }

  return {
    begin({ name, kind, attributes = {}, links = [] }, parent) {
      const context = contextOf(parent);
      const span = tracer.startSpan(
        name,
        {
          kind: KINDS[kind],
          attributes,
          links: links.flatMap((link) => remoteContext(link) ?? []).map((context) => ({ context })),
        },
        context,
      );
      const { traceId, spanId, traceFlags } = span.spanContext();
      const begun: Span = {
        traceId,
        traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
        set(more) {
          span.setAttributes(more);
          if (more['error.type'] !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
        },
        link(traceparent) {
          const context = remoteContext(traceparent);
          if (context) span.addLink({ context });
        },
        end(error) {
          // Not its message: that may repeat what a caller sent.
          if (error !== undefined) begun.set({ 'error.type': typeOf(error) });
          span.end();
        },
      };
      contexts.set(begun, trace.setSpan(context, span));
      return begun;
    },
    flush: () => provider.forceFlush().catch(() => {}),
    async invocationEnded() {
      if (!perInvocation || performance.now() < pausedUntil) return;
      await provider.forceFlush().catch(() => {
        pausedUntil = performance.now() + PAUSE_MS;
      });
    },
  };
}

function remoteContext(traceparent: string): SpanContext | undefined {
  const context = parseTraceParent(traceparent);
  return context && isSpanContextValid(context) ? { ...context, isRemote: true } : undefined;
}

function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

/** By the names of https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. */
function samplerOf({ sampler, ratio }: OpenTelemetryOptions): Sampler {
  const roots: Readonly<Record<string, () => Sampler>> = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio),
  };
  const root = roots[sampler.replace(/^parentbased_/, '')]?.() ?? new AlwaysOnSampler();
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}
