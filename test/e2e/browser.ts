import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path));

/** In CI a browser is a must: a suite that is skipped there would never be missed. */
export const withoutBrowser = !CHROMIUM && !process.env.CI;
if (withoutBrowser) console.log('skipped: what needs a browser, as there is no /usr/bin/chromium');

/** What keeps a browser from calling home: here it has only our own server to talk to. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Whatever asks for another machine all the same finds none.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
];

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM ?? 'chromium', args: QUIET });
}
