/**
 * What an error and its cause say, without their stacks: for errors that tell of something outside,
 * such as a server that is away.
 */
export function inOneLine(error: unknown): { readonly cause: string; readonly code?: string } {
  const chain: unknown[] = error instanceof Error && error.cause ? [error, error.cause] : [error];
  const code = chain.map(codeOf).find((found) => found !== undefined);
  return { cause: chain.map(wordsOf).join(': '), ...(code !== undefined && { code }) };
}

/** That of a failed connection to a name with several addresses has a code alone. */
function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message || codeOf(error) || error.name : String(error);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
