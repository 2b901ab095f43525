import type { Timer } from '../../clock.ts';
import { join, uint } from '../../codec/bytes.ts';
import type { Behaviour, Device, Host } from '../behaviour.ts';

export interface ActuatorOptions {
  /** Where commands come from; content: u32 number of the command. */
  readonly commands: string;
  /** Where the state goes after each; content: u32 number of the answer, u32 number of the command. */
  readonly state: string;
}

/** Takes commands and answers each with its state. */
export function actuator({ commands, state }: ActuatorOptions): Behaviour<Device> {
  let device: Device | undefined;
  return {
    start: (started) => {
      device = started;
    },
    stop: () => undefined,
    command: ({ topic, content }) => {
      if (topic === commands && content.length >= 4)
        device?.take(state, (sequence) => join(uint(sequence, 4), content.slice(0, 4)));
    },
  };
}

/** Takes one command at a time: for `busyMs` after each the node grants no credit (6.4). */
export function busy(busyMs: number): Behaviour {
  let host: Host | undefined;
  let timer: Timer | undefined;
  return {
    start: (started) => {
      host = started;
    },
    stop: () => timer?.cancel(),
    command: () => {
      host?.hold(true);
      timer?.cancel();
      timer = host?.clock.after(busyMs, () => host?.hold(false));
    },
  };
}
