/** A span as it is exported. */
export interface ExportedSpan {
  readonly name: string;
  readonly kind: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it has none. */
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
  /** Ids of the linked traces. */
  readonly links: readonly string[];
  readonly failed: boolean;
  readonly service: string;
}

// By https://github.com/open-telemetry/opentelemetry-proto: the numbers are those of its fields.

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUS_ERROR = 2;

/** The spans of an ExportTraceServiceRequest. */
export function decodeSpans(body: Buffer): ExportedSpan[] {
  return messages(body, 1).flatMap((resourceSpans) => {
    const [resource = Buffer.of()] = messages(resourceSpans, 1);
    const service = String(attributesOf(messages(resource, 1))['service.name']);
    return messages(resourceSpans, 2).flatMap((scopeSpans) =>
      messages(scopeSpans, 2).map((span) => toSpan(span, service)),
    );
  });
}

function toSpan(span: Buffer, service: string): ExportedSpan {
  const hex = (number: number) => messages(span, number)[0]?.toString('hex') ?? '';
  const [status = Buffer.of()] = messages(span, 15);
  return {
    traceId: hex(1),
    spanId: hex(2),
    parentSpanId: hex(4),
    name: String(messages(span, 5)[0]),
    kind: KINDS[integerOf(span, 6) ?? 0] ?? '',
    attributes: attributesOf(messages(span, 9)),
    links: messages(span, 13).map((link) => messages(link, 1)[0]?.toString('hex') ?? ''),
    failed: integerOf(status, 3) === STATUS_ERROR,
    service,
  };
}

function attributesOf(keyValues: readonly Buffer[]) {
  return Object.fromEntries(
    keyValues.map((keyValue) => {
      const [key, value = Buffer.of()] = [1, 2].map((number) => messages(keyValue, number)[0]);
      const [text] = messages(value, 1);
      return [String(key), text === undefined ? integerOf(value, 3) : String(text)];
    }),
  );
}

/** The fields of a number that have a length: messages, texts, bytes. */
function messages(message: Buffer, number: number): Buffer[] {
  return fieldsOf(message).flatMap((field) =>
    field.number === number && Buffer.isBuffer(field.value) ? [field.value] : [],
  );
}

function integerOf(message: Buffer, number: number): number | undefined {
  const value = fieldsOf(message).findLast((field) => field.number === number)?.value;
  return typeof value === 'number' ? value : undefined;
}

/** https://protobuf.dev/programming-guides/encoding/, as far as spans need it. */
function fieldsOf(message: Buffer): { number: number; value: Buffer | number }[] {
  const fields = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  const bytes = (length: number) => {
    at += length;
    return message.subarray(at - length, at);
  };
  const readers: Readonly<Record<number, () => Buffer | number>> = {
    0: varint,
    1: () => bytes(8),
    2: () => bytes(varint()),
    5: () => bytes(4),
  };
  while (at < message.length) {
    const tag = varint();
    const read = readers[tag & 7];
    if (!read) throw new Error(`wire type ${tag & 7}`);
    fields.push({ number: Math.floor(tag / 8), value: read() });
  }
  return fields;
}
