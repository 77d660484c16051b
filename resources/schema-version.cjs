// The number of migrations, which is what the code of the same commit knows.
const { readdirSync } = require('node:fs');
const { join } = require('node:path');

const files = readdirSync(join(__dirname, '../lib/db/migrations'));
module.exports = String(files.filter((name) => name.endsWith('.sql')).length);
