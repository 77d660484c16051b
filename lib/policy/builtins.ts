/**
 * What `sh` (dash) does by itself, without a program. Where executables are denied by default these
 * are not: they run nothing but what is looked at on its own (`eval`, `exec`, `command`, `trap`).
 */
const BUILTINS = new Set(
  `. : [ alias bg break cd chdir command continue echo eval exec exit export false fg getopts hash jobs
   kill local printf pwd read readonly return set shift test times trap true type ulimit umask unalias
   unset wait`.split(/\s+/),
);

export function isBuiltin(name: string): boolean {
  return BUILTINS.has(name);
}
