import type { Attack } from './attack.ts';
import { bombs } from './bombs.ts';
import { files } from './files.ts';
import { kernel } from './kernel.ts';
import { processes } from './processes.ts';
import { remains } from './remains.ts';
import { secrets } from './secrets.ts';
import { sockets } from './sockets.ts';

/** All that hostile tasks try, by subject. */
export const corpus: Readonly<Record<string, readonly Attack[]>> = {
  'what it should not know': secrets,
  'files of others': files,
  sockets,
  'other processes': processes,
  'the kernel and more rights': kernel,
  'using up everything': bombs,
  'outliving its end': remains,
};
