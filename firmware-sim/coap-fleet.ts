import { realClock } from './clock.ts';
import { type DatagramPort, openUdp } from './coap/datagram-port.ts';
import { CoapDevice } from './coap/device.ts';
import type { Transmission } from './coap/endpoint.ts';
import { actuator } from './node/behaviours/actuator.ts';
import { sensor } from './node/behaviours/sensor.ts';
import { addSums, type Ledger, type LedgerSums } from './node/ledger.ts';
import type { FleetOptions } from './serial-fleet.ts';
import { randomOf, type Site, tokenOf, topicsOf } from './site-plan.ts';

/** Those of `FleetOptions` that concern a CoAP device, and its own. */
export interface CoapOptions extends Pick<
  FleetOptions,
  'clock' | 'seed' | 'intervalMs' | 'behaviours' | 'outboxReadings'
> {
  readonly renewMs?: number;
  readonly transmission?: Transmission;
}

/** One CoAP device over any datagrams; the same name and seed give the same run. Of the behaviours it knows sensor and actuator. */
export function coapDevice(name: string, port: DatagramPort, options: CoapOptions = {}): CoapDevice {
  const { clock = realClock, seed = 1, behaviours = ['sensor', 'actuator'], intervalMs = 1000 } = options;
  const { readings, state, commands } = topicsOf(name);
  const acts = behaviours.includes('actuator');
  return new CoapDevice({
    name,
    token: tokenOf(name),
    clock,
    random: randomOf(name, seed),
    port,
    behaviours: [
      ...(behaviours.includes('sensor') ? [sensor({ topic: readings, intervalMs })] : []),
      ...(acts ? [actuator({ commands, state })] : []),
    ],
    ...(acts && { observe: commands }),
    ...(options.renewMs !== undefined && { renewMs: options.renewMs }),
    ...(options.outboxReadings !== undefined && { outboxReadings: options.outboxReadings }),
    ...(options.transmission && { transmission: options.transmission }),
  });
}

/** Several CoAP devices, each with a socket of its own; in real time. */
export class CoapFleet {
  readonly devices: readonly CoapDevice[];
  readonly #ports: readonly DatagramPort[];
  readonly #names: readonly string[];

  private constructor(
    names: readonly string[],
    ports: readonly DatagramPort[],
    devices: readonly CoapDevice[],
  ) {
    this.#names = names;
    this.#ports = ports;
    this.devices = devices;
  }

  /** @param host an address of the gateway, not a name. */
  static async open(
    names: readonly string[],
    host: string,
    port: number,
    options: CoapOptions = {},
  ): Promise<CoapFleet> {
    const pairs = await Promise.all(
      names.map(async (name) => {
        const way = await openUdp(host, port);
        return { way, device: coapDevice(name, way, options) };
      }),
    );
    return new CoapFleet(
      names,
      pairs.map(({ way }) => way),
      pairs.map(({ device }) => device),
    );
  }

  get site(): Site {
    return { serial: [], clients: this.#names.map((name) => ({ name, token: tokenOf(name) })) };
  }

  get ledgers(): readonly Ledger[] {
    return this.devices.map(({ ledger }) => ledger);
  }

  get sums(): LedgerSums {
    return addSums(this.ledgers);
  }

  start(): void {
    for (const device of this.devices) device.start();
  }

  /** Power off for good: the sockets are closed. */
  stop(): void {
    for (const device of this.devices) device.stop();
    for (const port of this.#ports) port.close();
  }
}
