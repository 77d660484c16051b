import type { Tier } from './sandboxed.ts';

/** Where a tier is different from the others, and tests have to know. All else is the same in all. */
export interface TierTraits {
  /** A file tree of its own, with /work and a made-up /etc; else the host's, most of it closed. */
  readonly hasOwnFileTree: boolean;
  /** A /proc of its own processes; else none at all, so no /dev/fd, /dev/stdin or /dev/stdout. */
  readonly hasProc: boolean;
  /** Unix sockets among its own processes; else it can make no socket, only pairs. */
  readonly hasUnixSockets: boolean;
  /** What happens when the disk is full: writing fails, or all of the command is killed. */
  readonly fullDisk: 'write fails' | 'killed';
  /** Whether it can tell by stat() that a path of the host exists, though not what is in it. */
  readonly seesPathsOfHost: boolean;
  /** Who it is: the user that the tree names, or one of the host's numbers. */
  readonly isNamedUser: boolean;
}

export const tierTraits: Record<Tier, TierTraits> = {
  namespaces: {
    hasOwnFileTree: true,
    hasProc: true,
    hasUnixSockets: true,
    fullDisk: 'write fails',
    seesPathsOfHost: false,
    isNamedUser: true,
  },
  landlock: {
    hasOwnFileTree: false,
    hasProc: false,
    hasUnixSockets: false,
    fullDisk: 'killed',
    seesPathsOfHost: true,
    isNamedUser: false,
  },
};
