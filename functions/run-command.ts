import { runner } from '../lib/runner/runner.ts';

/**
 * Runs one command for `execute-task`, its only caller, and answers with what the launcher says.
 * Lambda gives it an environment of the caller's tenant, and nothing else is in there.
 */
export const handler = runner;
