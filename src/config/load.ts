import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { describeError, HashikeError } from '../base/errors.ts';
import { crossCheck } from './cross-checks.ts';
import { ConfigError, formatProblem, type KeyPath, type Problem } from './problem.ts';
import { schemaProblems } from './schema-problems.ts';
import { type Config, configSchema, type ServerTlsConfig } from './schema.ts';
import { SourceMap } from './source-map.ts';

export { ConfigError, formatProblems, type Problem } from './problem.ts';

export interface LoadedConfig {
  /** With every default filled in; paths of files are absolute. */
  readonly config: Config;
  /** What is allowed but risky or useless, one line each. */
  readonly warnings: readonly string[];
}

/**
 * Reads a YAML configuration. Relative paths in it start where the file lies.
 * Throws HSK-2402 when the file can't be read, and ConfigError (HSK-2401) with every problem at once.
 */
export function loadConfig(file: string): LoadedConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new HashikeError('HSK-2402', `${file}: ${describeError(error)}`, { file }, error);
  }
  return parseConfig(text, file);
}

/** The same for a text; `file` names it in errors. Throws ConfigError. */
export function parseConfig(text: string, file: string): LoadedConfig {
  const source = new SourceMap(text);
  if (!source.intact) throw new ConfigError(file, source.problems);
  const raw = valueOf(source, file);
  const parsed = configSchema.safeParse(raw);
  const problems = [...source.problems];
  if (!parsed.success) problems.push(...schemaProblems(parsed.error.issues, raw, source));
  const warnings: Problem[] = [];
  const place = (path: KeyPath, wrong: string, right: string): Problem => ({
    ...source.value(path),
    path,
    wrong,
    right,
  });
  const folder = dirname(resolve(file));
  crossCheck(raw, folder, {
    error: (path, wrong, right) => problems.push(place(path, wrong, right)),
    warning: (path, wrong, right) => warnings.push(place(path, wrong, right)),
  });
  if (!parsed.success || problems.length > 0) throw new ConfigError(file, problems.sort(byPlace));
  return {
    config: withAbsolutePaths(parsed.data, folder),
    warnings: warnings.map((warning) => formatProblem(file, warning)),
  };
}

function valueOf(source: SourceMap, file: string): unknown {
  try {
    return source.toValue() ?? {};
  } catch {
    // Only aliases that multiply (the parser's guard) get here; its message could quote the file.
    const wrong = 'aliases (*) repeat too much';
    throw new ConfigError(file, [{ path: [], wrong, right: 'write the values out' }]);
  }
}

function byPlace(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

function withAbsolutePaths(config: Config, folder: string): Config {
  const absolute = (path: string): string => resolve(folder, path);
  const maybe = (path: string | undefined): string | undefined =>
    path === undefined ? path : absolute(path);
  const { gateway, listen, upstream } = config;
  const { mqtt } = upstream;
  const { tls } = mqtt ?? {};
  return {
    ...config,
    gateway: {
      ...gateway,
      stateDirectory: absolute(gateway.stateDirectory),
      runtimeDirectory: absolute(gateway.runtimeDirectory),
    },
    listen: {
      ...listen,
      tls: listen.tls && withAbsoluteFiles(listen.tls, folder),
      websocket: listen.websocket && {
        ...listen.websocket,
        tls: listen.websocket.tls && withAbsoluteFiles(listen.websocket.tls, folder),
      },
    },
    upstream: {
      mqtt: mqtt && {
        ...mqtt,
        passwordFile: maybe(mqtt.passwordFile),
        tls: tls && { ca: maybe(tls.ca), cert: maybe(tls.cert), key: maybe(tls.key) },
      },
    },
  };
}

function withAbsoluteFiles<T extends ServerTlsConfig>(tls: T, folder: string): T {
  const { certFile, keyFile, clientCa } = tls;
  return {
    ...tls,
    certFile: resolve(folder, certFile),
    keyFile: resolve(folder, keyFile),
    clientCa: clientCa === undefined ? undefined : resolve(folder, clientCa),
  };
}
