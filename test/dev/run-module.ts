import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a module in a process of its own, to see how that ends. Answers all that it wrote. */
export async function runModule(
  source: string,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      output += bytes;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}
