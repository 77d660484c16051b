import { type Attack, perl } from './attack.ts';

const connect = (family: string, type: string, address: string, ...args: (string | number)[]) =>
  perl(
    `use Socket; socket my $s, ${family}, ${type}, 0 or exit;
     ${type === 'SOCK_DGRAM' ? `send $s, "x", 0, ${address}` : `connect $s, ${address}`}`,
    ...args,
  );

/** A socket of this family must not come to be. Nothing is sent. */
const make = (what: string, family: number, type: number, protocol = 0) =>
  perl(`my $r = call(socket => ${family}, ${type}, ${protocol}); broke "${what}" if $r >= 0`);

/** Ports stand for our API, Postgres and queue. Listeners of the host must hear nothing. */
export const sockets: readonly Attack[] = [
  {
    tries: 'connects to a TCP port of the host',
    command: ({ tcpPort }) =>
      connect('PF_INET', 'SOCK_STREAM', 'sockaddr_in($ARGV[0], INADDR_LOOPBACK)', tcpPort),
  },
  {
    tries: 'connects to a TCP port of the host over IPv6',
    command: ({ tcp6Port }) =>
      connect(
        'PF_INET6',
        'SOCK_STREAM',
        'sockaddr_in6($ARGV[0], Socket::IN6ADDR_LOOPBACK)',
        tcp6Port,
      ),
    // a machine may be without IPv6; the socket is what must not be
    bare: () => make('an IPv6 socket', 10, 1),
  },
  {
    tries: 'connects to ports of the host with bash',
    command: ({ tcpPort }) =>
      `bash -c 'for h in 127.0.0.1 localhost 0.0.0.0 127.1; do exec 3<>/dev/tcp/$h/${tcpPort}; done'`,
  },
  {
    tries: 'sends a datagram to a UDP port of the host',
    command: ({ udpPort }) =>
      connect('PF_INET', 'SOCK_DGRAM', 'sockaddr_in($ARGV[0], INADDR_LOOPBACK)', udpPort),
  },
  {
    tries: 'connects to a Unix socket of the host by its path',
    command: ({ unixPath }) => connect('PF_UNIX', 'SOCK_STREAM', 'sockaddr_un($ARGV[0])', unixPath),
  },
  {
    tries: 'connects to a Unix socket of the host through a link in its folder',
    command: ({ unixPath }) =>
      connect('PF_UNIX', 'SOCK_STREAM', 'do { symlink $ARGV[0], "s"; sockaddr_un("s") }', unixPath),
  },
  {
    tries: 'connects to an abstract Unix socket of the host',
    command: ({ abstractName }) =>
      connect('PF_UNIX', 'SOCK_STREAM', 'sockaddr_un("\\0$ARGV[0]")', abstractName),
  },
  {
    tries: "connects to the launcher's own socket, to be run without limits",
    command: ({ unixPath }) =>
      perl(
        `use Socket; for (glob "/tmp/errand-launcher-*/socket $ENV{TMPDIR}/../../errand-launcher-*/socket $ARGV[0]") {
           socket my $s, PF_UNIX, SOCK_STREAM, 0 or exit;
           connect $s, sockaddr_un($_) and broke "reached $_" }`,
        unixPath,
      ),
  },
  {
    tries: 'makes a socket to reach 169.254.169.254 with',
    command: () => make('a TCP socket', 2, 1),
  },
  { tries: 'makes a UDP socket', command: () => make('a UDP socket', 2, 2) },
  { tries: 'makes a raw socket', command: () => make('a raw socket', 2, 3, 1) },
  { tries: 'makes a packet socket', command: () => make('a packet socket', 17, 3, 768) },
  {
    tries: 'makes a socket to the machine below (vsock)',
    command: () => make('a vsock socket', 40, 1),
  },
  { tries: 'makes a netlink socket', command: () => make('a netlink socket', 16, 3, 0) },
  { tries: 'makes a socket for audit messages', command: () => make('an audit socket', 16, 3, 9) },
  {
    tries: 'makes a socket of any family that there is',
    command: () =>
      perl(`for my $f (2 .. 45) { for my $t (1, 2, 3, 5) {
        my $r = call(socket => $f, $t, 0); broke "family $f" if $r >= 0 } }`),
  },
  {
    tries: 'makes a pair of sockets of a family that reaches further',
    command: () =>
      perl(
        'for my $f (2 .. 45) { my $p = "\\0" x 8; my $r = call(socketpair => $f, 1, 0, $p); broke $f if $r == 0 }',
      ),
    bare: () => make('a TCP socket', 2, 1), // only TIPC has pairs, too, where it is loaded
  },
  {
    tries: 'listens on an abstract name where others may come',
    command: ({ mark }) =>
      perl(
        'use Socket; socket S, PF_UNIX, SOCK_STREAM, 0 or exit; bind S, sockaddr_un("\\0$ARGV[0]") and listen S, 1 or exit; print "up\\n"; sleep 9',
        `${mark}-name`,
      ),
    during: async ({ mark }) => {
      const { readFileSync } = await import('node:fs');
      const seen = readFileSync('/proc/net/unix', 'latin1').includes(`${mark}-name`);
      return seen ? 'the host sees its socket' : undefined;
    },
  },
];
