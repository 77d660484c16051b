/** `npm run monitoring`: writes the dashboard, and the table of docs/metrics.md, anew. */
import { writeFileSync } from 'node:fs';
import { written } from './written.ts';

for (const [path, text] of Object.entries(written())) writeFileSync(path, text);
