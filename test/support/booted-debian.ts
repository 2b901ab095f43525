import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const repository = join(import.meta.dirname, '../..');
const image = join(repository, '.cache/debian');
const packages = ['systemd-sysv', 'udev', 'dbus', 'ca-certificates', 'kmod'];

/** A whole Debian system, booted with systemd in a container that forgets all when it stops. The repository lies in /repo there. */
export class BootedDebian {
  readonly #container: ChildProcess;
  readonly #leader: string;
  readonly #environment = {
    HOME: '/root',
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    npm_config_registry: npmSetting('registry'),
    npm_config_cafile: '/etc/ssl/certs/ca-certificates.crt',
  };

  /** Makes the image on first use (half a minute) and boots it (seconds). Needs root. */
  static async boot(): Promise<BootedDebian> {
    if (!existsSync(image)) makeImage();
    const npm = npmFolder();
    // In a control group of its own, or systemd-nspawn leaves its own in that of the whole machine.
    const enter = `for top in /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
        [ ! -d $top ] || { mkdir -p $top/hashike-test && echo $$ > $top/hashike-test/cgroup.procs; }
      done
      exec systemd-nspawn "$@"`;
    const options = [
      '--quiet',
      '--register=no',
      '--keep-unit',
      '--volatile=overlay',
      '--console=passive',
      `--directory=${image}`,
      `--overlay=${repository}::/repo`,
      `--bind-ro=${npm}:/usr/local/lib/npm`,
      `--bind=${npmSetting('cache')}:/root/.npm`,
      '--bind-ro=/etc/ssl/certs',
    ];
    const container = spawn('bash', ['-c', enter, 'bash', ...options, '--boot'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const system = new BootedDebian(container, await leaderOf(container));
    await until(() => /running|degraded/.test(system.run('systemctl is-system-running').stdout));
    system.run(`ln -s /repo/node_modules/node-linux-${process.arch}/bin/node /usr/local/bin/node
      ln -s ../lib/npm/bin/npm-cli.js /usr/local/bin/npm`);
    return system;
  }

  private constructor(container: ChildProcess, leader: string) {
    this.#container = container;
    this.#leader = leader;
  }

  /** Runs a script of bash as root in the system. */
  run(script: string): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
    return spawnSync('nsenter', ['--target', this.#leader, '--all', '/bin/bash', '-c', script], {
      encoding: 'utf8',
      env: this.#environment,
    });
  }

  /** Shuts the system down; nothing of it stays. */
  async stop(): Promise<void> {
    this.#container.kill('SIGTERM');
    await until(() => this.#container.exitCode !== null || this.#container.signalCode !== null);
    spawnSync('find', [
      ...globSync('/sys/fs/cgroup/*/hashike-test'),
      '-depth',
      '-type',
      'd',
      '-exec',
      'rmdir',
      '{}',
      ';',
    ]);
  }
}

/** Waits until `condition` holds; an Error after `limitMs`. */
export async function until(condition: () => boolean, limitMs = 30_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`still not so after ${limitMs} ms: ${condition.toString()}`);
    await pause(100);
  }
}

function makeImage(): void {
  const unfinished = `${image}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  // The release and the mirror of this machine.
  const sources = globSync(['/etc/apt/sources.list', '/etc/apt/sources.list.d/*.{list,sources}']);
  const slim = ['--aptopt=Acquire::Languages "none"', '--dpkgopt=path-exclude=/usr/share/doc/*'];
  const command = [
    '--quiet',
    '--variant=minbase',
    `--include=${packages.join(',')}`,
    ...slim,
    '',
    unfinished,
    ...sources,
  ];
  execFileSync('mmdebstrap', command, { stdio: ['ignore', 'inherit', 'inherit'] });
  renameSync(unfinished, image);
}

/** The folder of the npm that this machine uses. */
function npmFolder(): string {
  return dirname(
    dirname(execFileSync('bash', ['-c', 'readlink -f "$(command -v npm)"'], { encoding: 'utf8' }).trim()),
  );
}

function npmSetting(name: string): string {
  return execFileSync('npm', ['config', 'get', name, '--loglevel=error'], { encoding: 'utf8' }).trim();
}

/** The process that is systemd in the container. */
async function leaderOf(container: ChildProcess): Promise<string> {
  const children = (): string =>
    readFileSync(`/proc/${container.pid}/task/${container.pid}/children`, 'utf8').trim();
  await until(
    () => container.exitCode !== null || (/^\d+$/.test(children()) && nameOf(children()) === 'systemd'),
  );
  if (container.exitCode !== null) throw new Error(`systemd-nspawn ended with ${container.exitCode}`);
  return children();
}

function nameOf(pid: string): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}
