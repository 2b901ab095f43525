import type { CommandContext, StricliProcess } from '@stricli/core';

/** What a command may touch of the process. */
export interface CliContext extends CommandContext {
  readonly process: StricliProcess & {
    readonly stdin: NodeJS.ReadableStream;
    readonly stdout: NodeJS.WriteStream;
    readonly stderr: NodeJS.WriteStream;
  };
}
