/** Of what no route takes: its method and path are whatever a caller likes. */
export const NO_ROUTE = { method: 'any', route: 'none' };

/** `GET /api/tasks/{taskId}`, say, in two; `$default` is what no other route takes. */
export function routeOf(routeKey: string) {
  const [method, route] = routeKey.split(' ');
  return method === undefined || route === undefined ? NO_ROUTE : { method, route };
}
