import { type AddressInfo, createServer, type ListenOptions } from 'node:net';

/** A server of the host that counts who gets through to it. */
export class Listener {
  readonly #server = createServer((socket) => {
    this.#connections += 1;
    socket.destroy();
  });
  #connections = 0;

  static async on(options: ListenOptions): Promise<Listener> {
    const listener = new Listener();
    await new Promise<void>((resolve, reject) => {
      listener.#server.once('error', reject).listen(options, resolve);
    });
    return listener;
  }

  get port(): string {
    return String((this.#server.address() as AddressInfo).port);
  }

  /** Resolves with the number of connections that there were. */
  async close(): Promise<number> {
    await new Promise((resolve) => this.#server.close(resolve));
    return this.#connections;
  }
}

/** A command that says `tried`, and `connected` when it is. `address` is Perl, in terms of `$at`. */
export function connectTo(family: 'PF_INET' | 'PF_UNIX', address: string, at: string): string[] {
  const script = `use Socket; $at = pack 'H*', $ARGV[0]; print "tried\\n";
    socket $s, ${family}, SOCK_STREAM, 0 or exit;
    connect $s, ${address} and print "connected\\n"`;
  return ['perl', '-e', script, Buffer.from(at).toString('hex')];
}
