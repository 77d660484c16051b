/** `serve-kept.ts <directory>`: serves the databases that failing tests kept, until Ctrl-C. */
import { servePostgres } from './servers.ts';

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('usage: serve-kept.ts <directory>');

const server = await servePostgres(directory);
console.log(server.url);
process.once('SIGINT', () => server.close({ keepData: true }));
