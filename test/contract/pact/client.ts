/** A small client, as a program that uses errand has one: what it relies on is in the pact. */
export interface Client {
  createTask(newTask: object, headers?: Record<string, string>): Promise<Answer>;
  getTask(id: string): Promise<Answer>;
  listTasks(query: string): Promise<Answer>;
  getOutput(id: string): Promise<Answer>;
  cancelTask(id: string): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: each test asserts the shape it expects
  readonly body: any;
}

export function clientOf(url: string): Client {
  async function send(method: string, path: string, headers = {}, body?: object): Promise<Answer> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  }
  const json = { 'content-type': 'application/json' };
  return {
    createTask: (task, headers = {}) => send('POST', '/api/tasks', { ...json, ...headers }, task),
    getTask: (id) => send('GET', `/api/tasks/${id}`),
    listTasks: (query) => send('GET', `/api/tasks?${query}`),
    getOutput: (id) => send('GET', `/api/tasks/${id}/output`),
    cancelTask: (id) => send('POST', `/api/tasks/${id}/cancel`),
  };
}
