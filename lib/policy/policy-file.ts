import { readFileSync } from 'node:fs';
import * as z from 'zod';

const name = z
  .string({ error: 'must be a string' })
  .regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, ".", "-" or "_"');
const patterns = z
  .array(z.string().min(1, 'must not be empty'), { error: 'must be a list of names or patterns' })
  .min(1, 'must not be empty');
const verdict = z.enum(['allow', 'deny'], { error: 'must be "allow" or "deny"' });

const Rule = z
  .strictObject(
    { name, allow: patterns.optional(), deny: patterns.optional() },
    { error: 'must be an object with a name and a list under "allow" or "deny"' },
  )
  .transform(({ name: ruleName, allow, deny }, context) => {
    if (allow && !deny) return { name: ruleName, verdict: 'allow' as const, patterns: allow };
    if (deny && !allow) return { name: ruleName, verdict: 'deny' as const, patterns: deny };
    context.addIssue({ code: 'custom', message: 'must have one of "allow" and "deny"' });
    return z.NEVER;
  });

const PolicyFile = z
  .strictObject(
    {
      maxLength: z.int({ error: 'must be a whole number' }).min(1, 'must be at least 1').optional(),
      default: verdict,
      dynamic: verdict.optional(),
      rules: z.array(Rule, { error: 'must be a list of rules' }).default([]),
    },
    { error: 'must be an object' },
  )
  .transform((file) => ({ ...file, dynamic: file.dynamic ?? file.default }));

/** Which executables a command may name. The first rule that knows an executable decides. */
export type Policy = z.infer<typeof PolicyFile>;

/**
 * Reads a policy from a file; or from the text itself, which begins with a brace: a Lambda function
 * has settings, and no files but its own.
 * @throws Error that names the file, and every field that is missing or wrong
 */
export function readPolicy(pathOrText: string): Policy {
  const inline = pathOrText.trimStart().startsWith('{');
  const what = inline ? 'The command policy' : `The command policy ${pathOrText}`;
  const parsed = PolicyFile.safeParse(
    parseJson(what, () => (inline ? pathOrText : readFileSync(pathOrText, 'utf8'))),
  );
  if (parsed.success) return parsed.data;
  throw new Error(`${what} is wrong: ${parsed.error.issues.map(complaintOf).join('; ')}`);
}

function complaintOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    return `${[...issue.path, issue.keys[0]].join('.')} is not a known field`;
  }
  return `${issue.path.join('.') || 'it'} ${issue.message}`;
}

function parseJson(what: string, read: () => string): unknown {
  try {
    return JSON.parse(read());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${what} cannot be read: ${reason}`, { cause: error });
  }
}
