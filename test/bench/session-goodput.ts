/**
 * How much of a serial line's capacity reliable readings of 16 bytes use, in virtual time, at several rates of lost frames. Run with
 *
 *     npx -c 'node test/bench/session-goodput.ts'
 */
import { goodput } from '../support/session-goodput.ts';

for (const baud of [300, 9600, 115_200, 1_000_000]) {
  for (const settleMs of [0, 15]) {
    const parts = [0, 0.01, 0.1].map((loss) => {
      const share = goodput({ baud, loss, settleMs, seconds: baud < 1000 ? 600 : 20 });
      return `${(share * 100).toFixed(1)} % at ${loss * 100} % lost`;
    });
    console.log(`${baud} baud, custody in ${settleMs} ms: ${parts.join(', ')}`);
  }
}
