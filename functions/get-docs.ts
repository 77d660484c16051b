import { docsAsset, docsPage } from '../lib/http/docs-page.ts';
import { httpHandler } from '../lib/http/http-handler.ts';
import { HttpProblem } from '../lib/http/problem.ts';
import { edge } from '../lib/services.ts';

/** `GET /docs`: a page to read about the API and to try it; `GET /docs/{asset}`: what it is made of. */
export const handler = httpHandler({ ...edge, open: () => undefined }, async (event) => {
  const { asset } = event.pathParameters ?? {};
  if (asset === undefined) return docsPage();
  const answer = docsAsset(asset, event);
  if (answer) return answer;
  throw new HttpProblem('route_not_found', `There is no ${event.rawPath} here. Try /docs.`);
});
