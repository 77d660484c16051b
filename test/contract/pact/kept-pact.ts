import { join } from 'node:path';

/** What consumers and we agreed on. */
export const KEPT_PACT = join(import.meta.dirname, 'a-client-errand.json');
