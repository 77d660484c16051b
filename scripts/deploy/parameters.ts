import { readFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';

/** As text, whatever they are. */
type Parameters = Readonly<Record<string, string>>;

const SERVICE = new URL('../../serverless.yml', import.meta.url);

/**
 * The parameters of a stage: what `serverless.yml` says for all and for this one, and what was given
 * as `NAME=VALUE`, which comes last and counts most. @throws Error for what is not `NAME=VALUE`
 */
export async function readParameters(
  stage: string,
  given: readonly string[],
): Promise<{ parameters: Parameters; named: ReadonlySet<string> }> {
  const { service, params } = parseDocument(await readFile(SERVICE, 'utf8'), {
    logLevel: 'error', // CloudFormation's tags are not known here, and not looked at.
  }).toJS() as { service: string; params: Record<string, Record<string, unknown> | undefined> };
  const own = given.map(readParameter);
  const fromFile = Object.entries({ ...params.default, ...params[stage] }).map(
    ([name, value]): [string, string] => [
      name,
      String(value)
        .replace(/\$\{self:service\}/g, service)
        .replace(/\$\{sls:stage\}/g, stage),
    ],
  );
  return {
    parameters: Object.fromEntries([...fromFile, ...own]),
    named: new Set([...Object.keys(params[stage] ?? {}), ...own.map(([name]) => name)]),
  };
}

function readParameter(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new Error(`--param is "${text}"; it must be as in --param maximumConcurrency=20.`);
}
