import { readFileSync } from 'node:fs';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';

/** Of our own origin alone. The library sets styles in the page, but runs no script that is in it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>errand API</title>
    <link rel="icon" href="docs/favicon-32x32.png">
    <link rel="stylesheet" href="docs/swagger-ui.css">
  </head>
  <body>
    <div id="docs"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`;

const START = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  tryItOutEnabled: true,
  // It would send the document to a server of others.
  validatorUrl: null,
});
`;

interface Asset {
  readonly mediaType: string;
  read(): Buffer;
}

const ofLibrary = (file: string) => () =>
  readFileSync(new URL(file, import.meta.resolve('swagger-ui-dist/package.json')));

const ASSETS: ReadonlyMap<string, Asset> = new Map<string, Asset>([
  ['start.js', { mediaType: 'text/javascript', read: () => Buffer.from(START) }],
  [
    'swagger-ui-bundle.js',
    { mediaType: 'text/javascript', read: ofLibrary('swagger-ui-bundle.js') },
  ],
  ['swagger-ui.css', { mediaType: 'text/css', read: ofLibrary('swagger-ui.css') }],
  ['favicon-32x32.png', { mediaType: 'image/png', read: ofLibrary('favicon-32x32.png') }],
]);

/** Names for `/docs/{asset}`. */
export const DOCS_ASSETS = [...ASSETS.keys()];

/** The page that shows the OpenAPI document, to read and to try. */
export function docsPage(): APIGatewayProxyStructuredResultV2 {
  return {
    statusCode: 200,
    headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY },
    body: PAGE,
  };
}

/** What the page is made of; undefined when there is no such file. */
export function docsAsset(name: string): APIGatewayProxyStructuredResultV2 | undefined {
  const asset = ASSETS.get(name);
  if (!asset) return undefined;
  return {
    statusCode: 200,
    headers: { 'content-type': asset.mediaType, 'cache-control': 'public, max-age=3600' },
    isBase64Encoded: true,
    body: asset.read().toString('base64'),
  };
}
