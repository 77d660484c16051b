import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import Negotiator from 'negotiator';

/** Of our own origin alone, and nothing that is in the page itself. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const START = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  // It would send the document to a server of others.
  validatorUrl: null,
});
`;

const ofLibrary = (file: string) =>
  readFileSync(new URL(file, import.meta.resolve('swagger-ui-dist/package.json')));

/** Part of the address of what the page is made of, so that a browser may keep that for ever. */
function version(): string {
  const library = JSON.parse(ofLibrary('package.json').toString());
  return `${library.version}-${createHash('sha256').update(START).digest('hex').slice(0, 8)}`;
}

/** Addresses are relative, so that it also works behind a proxy that adds a path. */
const page = (v: string) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>errand API</title>
    <link rel="icon" href="docs/favicon-32x32.png?v=${v}">
    <link rel="stylesheet" href="docs/swagger-ui.css?v=${v}">
  </head>
  <body>
    <main id="docs"></main>
    <noscript>This page needs JavaScript. It shows <a href="openapi.json">openapi.json</a>.</noscript>
    <script src="docs/swagger-ui-bundle.js?v=${v}"></script>
    <script src="docs/start.js?v=${v}"></script>
  </body>
</html>
`;

interface Asset {
  readonly mediaType: string;
  read(): Buffer;
}

const ASSETS: ReadonlyMap<string, Asset> = new Map<string, Asset>([
  ['start.js', { mediaType: 'text/javascript', read: () => Buffer.from(START) }],
  [
    'swagger-ui-bundle.js',
    { mediaType: 'text/javascript', read: () => ofLibrary('swagger-ui-bundle.js') },
  ],
  ['swagger-ui.css', { mediaType: 'text/css', read: () => ofLibrary('swagger-ui.css') }],
  ['favicon-32x32.png', { mediaType: 'image/png', read: () => ofLibrary('favicon-32x32.png') }],
]);

/** Names for `/docs/{asset}`. */
export const DOCS_ASSETS = [...ASSETS.keys()];

/** The page that shows the OpenAPI document, to read and to try. */
export function docsPage(): APIGatewayProxyStructuredResultV2 {
  return {
    statusCode: 200,
    headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY },
    body: page(version()),
  };
}

/** Of the 1.9 MB that a browser asks for, 0.5 MB are left. An HTTP API compresses nothing itself. */
const compressed = new Map<string, Buffer>();

/** What the page is made of; undefined when there is no such file. */
export function docsAsset(
  name: string,
  event: APIGatewayProxyEventV2,
): APIGatewayProxyStructuredResultV2 | undefined {
  const asset = ASSETS.get(name);
  if (!asset) return undefined;
  const encoding = new Negotiator(event).encoding(['gzip', 'identity']);
  const zip = encoding === 'gzip' ? (compressed.get(name) ?? gzipSync(asset.read())) : undefined;
  if (zip) compressed.set(name, zip);
  return {
    statusCode: 200,
    headers: {
      'content-type': asset.mediaType,
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
      ...(zip && { 'content-encoding': 'gzip' }),
    },
    isBase64Encoded: true,
    body: (zip ?? asset.read()).toString('base64'),
  };
}
