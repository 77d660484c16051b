import { createHmac, timingSafeEqual } from 'node:crypto';
import { SandboxError } from './sandbox.ts';

/** What a worker sends to a runner: one command. */
export interface RunnerRequest {
  /** A request of the launcher, its stdin included, in base64. */
  readonly request: string;
  readonly wallMs: number;
  readonly memoryBytes: number;
  /** Seals what comes back, in base64. Made for this command alone. */
  readonly key: string;
  /** Answers 200 once the command is to be cancelled; undefined where nothing can tell. */
  readonly cancelUrl?: string;
  /** How the answer travels; `buffered` where the endpoint cannot stream. */
  readonly answer: 'streamed' | 'buffered';
}

/** The runner's last word, after the launcher's report. */
export interface Farewell {
  /** What was left after the command: then the runner ends its environment. Empty as a rule. */
  readonly suspicious: readonly string[];
}

/** What a sealed piece holds: bytes of the launcher, the runner's last word, or its trouble. */
export type PieceKind = 'bytes' | 'farewell' | 'trouble';

const KINDS: readonly PieceKind[] = ['bytes', 'farewell', 'trouble'];
const SEAL_BYTES = 16;
/** Kind (1 byte), length (4 bytes, little-endian), seal. Then the body. */
const HEAD_BYTES = 5 + SEAL_BYTES;

/**
 * Seals pieces in their order. In a runner a command can reach Lambda's Runtime API, which asks
 * nobody who they are, so it could answer in our place: but not with this key.
 */
export function makeSealer(key: Buffer): (kind: PieceKind, body: Buffer) => Buffer {
  let number = 0;
  return (kind, body) => {
    const head = Buffer.alloc(5);
    head.writeUInt8(KINDS.indexOf(kind), 0);
    head.writeUInt32LE(body.length, 1);
    return Buffer.concat([head, sealOf(key, number++, head, body), body]);
  };
}

/** Cuts what arrives into pieces, however the bytes come. @throws SandboxError at a wrong seal */
export function makeUnsealer(
  key: Buffer,
  onPiece: (kind: PieceKind, body: Buffer) => void,
): (bytes: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let number = 0;
  return (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    while (rest.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + rest.readUInt32LE(1);
      if (rest.length < end) return;
      const [head, seal, body] = [
        rest.subarray(0, 5),
        rest.subarray(5, HEAD_BYTES),
        rest.subarray(HEAD_BYTES, end),
      ];
      const kind = KINDS[head.readUInt8(0)];
      if (kind === undefined || !timingSafeEqual(seal, sealOf(key, number++, head, body))) {
        throw new SandboxError('The answer is not from our runner: its seal is wrong');
      }
      rest = rest.subarray(end);
      onPiece(kind, body);
    }
  };
}

function sealOf(key: Buffer, number: number, head: Buffer, body: Buffer): Buffer {
  const place = Buffer.alloc(8);
  place.writeBigUInt64LE(BigInt(number));
  const hmac = createHmac('sha256', key).update(place).update(head).update(body);
  return hmac.digest().subarray(0, SEAL_BYTES);
}
