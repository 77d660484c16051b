/** What a function made of its batch. `everything` failed when the answer cannot be trusted. */
export type BatchResult =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly messageIds: ReadonlySet<string> }
  | { readonly kind: 'everything failed'; readonly reason: string };

/**
 * Reads the answer of a function that reports batch item failures, by AWS's own conditions: an
 * empty or null answer or list is a success; bad JSON, a malformed item, or an `itemIdentifier`
 * that is null, empty or unknown fails the whole batch.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export function parseBatchResponse(payload: string, sent: ReadonlySet<string>): BatchResult {
  if (payload.trim() === '') return { kind: 'succeeded' };

  let response: unknown;
  try {
    response = JSON.parse(payload);
  } catch {
    return everythingFailed('the answer is not JSON');
  }
  if (response === null) return { kind: 'succeeded' };
  if (!isRecord(response)) return everythingFailed('the answer is not an object');

  const failures = response.batchItemFailures;
  if (failures === undefined || failures === null) return { kind: 'succeeded' };
  if (!Array.isArray(failures)) return everythingFailed('batchItemFailures is not a list');

  const messageIds = new Set<string>();
  for (const failure of failures) {
    const id = isRecord(failure) ? failure.itemIdentifier : undefined;
    if (typeof id !== 'string' || id === '') {
      return everythingFailed('an item of batchItemFailures has no itemIdentifier');
    }
    if (!sent.has(id)) return everythingFailed(`itemIdentifier ${id} is not in the batch`);
    messageIds.add(id);
  }
  return messageIds.size === 0 ? { kind: 'succeeded' } : { kind: 'failed', messageIds };
}

function everythingFailed(reason: string): BatchResult {
  return { kind: 'everything failed', reason };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
