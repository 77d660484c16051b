import { type Attack, BROKE, perl } from './attack.ts';

/** Says so itself when a line of its shell worked. */
const each = (...lines: string[]) =>
  lines.map((line) => `(${line}) && echo "${BROKE} ${line.replaceAll(/["$]/g, '')}"`).join('\n');

/** Files of the host and of the project: not read, not made, not changed, not taken away. */
export const files: readonly Attack[] = [
  { tries: 'reads a file of the host that all may read', command: ({ canary }) => `cat ${canary}` },
  {
    tries: 'searches all of the disk for a file',
    command: ({ canary }) =>
      `for d in /proc/self/root / /var /mnt /home /srv; do cat $d${canary}; done; timeout 2 find / \\( -path /proc -o -path /usr -o -path /sys \\) -prune -o -name canary -exec cat {} +`,
  },
  {
    tries: 'reads a file of the host through a symlink in its folder',
    command: ({ canary }) => `ln -s ${canary} a; ln -s / root; cat a root${canary}`,
  },
  {
    tries: 'reads a file of the host through a hard link in its folder',
    command: ({ canary }) => `ln ${canary} a; ln -L ${canary} b; cat a b`,
  },
  {
    tries: 'reads a file of the host by climbing out of its folder',
    command: ({ canary }) => `cat ../../../../../../..${canary}; cd /; cat .${canary}`,
  },
  {
    tries: 'reads the source of the program that runs it',
    command: () => `head -3 ${import.meta.filename} ${process.argv[1]} ${process.cwd()}/*.json`,
    harm: ({ stdout }) => (stdout.totalBytes > 0 ? 'it read the project' : undefined),
  },
  {
    tries: 'reads what is in /etc, in homes and in places for secrets',
    command: () =>
      each(
        ...['hostname', 'shadow', 'machine-id', 'resolv.conf', 'fstab', 'ssh/ssh_config'].map(
          (name) => `cat /etc/${name}`,
        ),
        'ls /root',
        'ls /home',
        'ls /run/secrets /var/run/secrets',
        'ls /var/lib',
      ),
  },
  {
    tries: 'opens a file of the host by handle',
    command: ({ canary }) =>
      perl(
        `my $h = pack "LL", 128, 0; $h .= "\\0" x 128; my $m = "\\0" x 4;
         my $r = call(name_to_handle_at => -100, $ARGV[0], $h, $m, 0); broke "a handle" if $r == 0`,
        canary,
      ),
  },
  {
    tries: 'writes to a file of the host that all may write',
    command: ({ canary }) => `echo mine > ${canary}; echo mine >> ${canary}; : > ${canary}`,
  },
  {
    tries: 'cuts, moves and removes a file of the host',
    command: ({ canary }) =>
      `truncate -s 1 ${canary}; mv ${canary} ${canary}-2; rm -f ${canary}; dd if=/dev/zero of=${canary} count=1`,
  },
  {
    tries: 'changes mode, times and owner of a file of the host',
    command: ({ canary }) =>
      `chmod 600 ${canary}; touch -c -d 2001-01-01 ${canary}; chown 1:1 ${canary}; chgrp 1 ${canary}`,
  },
  {
    tries: 'changes mode and times of a folder of the host through a symlink',
    command: ({ folder }) =>
      `ln -s ${folder} a; chmod 700 a/canary; touch -c -d 2001-01-01 a/canary; chmod -R 700 a/.`,
  },
  {
    tries: 'sets an attribute on a file of the host',
    command: ({ canary }) =>
      perl(
        'my ($n, $v) = ("user.errand", "x"); my $r = call(setxattr => $ARGV[0], $n, $v, 1, 0); broke "set" if $r == 0',
        canary,
      ),
    // not every file system has such attributes: there, it shows by another change
    bare: ({ canary }) => `setfattr -n user.errand -v x ${canary} || chmod 600 ${canary}`,
  },
  {
    tries: 'makes files, links and pipes in a folder of the host',
    command: ({ folder }) =>
      `touch ${folder}/a; mkdir ${folder}/b; ln -s / ${folder}/c; mkfifo ${folder}/d; mv /etc/passwd ${folder}/e`,
  },
  {
    tries: 'makes a file in every place for temporary files',
    command: ({ mark }) =>
      `for d in /tmp /var/tmp /dev/shm /run /run/lock /usr /etc /; do touch $d/${mark}; done`,
  },
  {
    tries: 'leaves a link in its folder, for the one who cleans up',
    command: ({ folder }) =>
      `ln -s ${folder} a; mkdir b; ln -s ${folder} b/c; ln -s ${folder}/canary d; chmod 0 b`,
    bare: ({ folder }) => `ln -s ${folder} a; rm -f a/canary`,
  },
  {
    tries: 'puts a link where the folder of the next task will be',
    command: ({ folder }) =>
      `for i in 0 1 2 3 4 5 6 7; do ln -s ${folder} ../$i; rmdir ../$i; mv . ../$i; done; cat ../*/own; true`,
    bare: ({ folder }) => `ln -s ${folder} ../mine`,
  },
  {
    tries: 'watches a folder of the host for names',
    command: ({ folder }) =>
      perl(
        `my $i = call(inotify_init1 => 0); my $d = $ARGV[0];
         my $r = call(inotify_add_watch => $i, $d, 0xfff); broke "a watch" if $r >= 0`,
        folder,
      ),
  },
  {
    tries: 'reads the files, variables and arguments of a task beside it',
    command: () => 'cat ../*/own; cat /work/own /tmp/errand-work-*/*/own; cat /proc/*/cwd/own',
  },
];
