import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeCertificates } from '../support/certificates.ts';
import { noDefects } from '../support/cloud-application.ts';
import { requires } from '../support/requires.ts';
import { Site, type SitePlan } from '../support/site.ts';

const describe = requires('mosquitto');

const plan: SitePlan = {
  serial: [{ names: ['node-1', 'node-2', 'node-3'] }],
  coap: { names: ['coap-1'] },
  tcp: { names: ['tcp-1'] },
};

/** Stops the upstream `absences` times while the nodes go on: everything acknowledged must arrive, in order, and once by its identifier. */
async function expectNothingLost(site: Site, absences: number): Promise<void> {
  await site.start();
  await site.acknowledges(100);
  for (let absence = 0; absence < absences; absence += 1) {
    await site.broker.stop();
    await site.acknowledges(100);
    await site.broker.start();
    await site.acknowledges(50);
  }
  await site.settle();
  expect(site.cloud.defects).toEqual(noDefects);
  for (const ledger of site.ledgers) {
    expect(ledger.sums, ledger.node).toMatchObject({ rejected: 0, overflowed: 0, forgotten: 0 });
    expect(ledger.sums.acknowledged, ledger.node).toBeGreaterThan(20);
  }
}

describe('a mosquitto upstream that is stopped and started while nodes go on', () => {
  test.concurrent('gets everything acknowledged, in order, from serial, CoAP and TCP clients', async () => {
    await using site = await Site.open(plan);
    await expectNothingLost(site, 3);
    expect(site.cloud.states).toContain('online');
  });

  test.concurrent('gets it over MQTT 3.1.1', async () => {
    await using site = await Site.open({ ...plan, mqtt: { version: 4 } });
    await expectNothingLost(site, 1);
  });

  test.concurrent('gets it over TLS with a user and a password', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hashike-secrets-'));
    try {
      const certificates = makeCertificates(folder);
      const login = { user: 'gateway', password: 'correct horse' };
      const passwordFile = join(folder, 'password');
      writeFileSync(passwordFile, `${login.password}\n`, { mode: 0o600 });
      await using site = await Site.open({
        ...plan,
        mosquitto: { login, tls: { certificates, clients: false } },
        mqtt: { username: login.user, passwordFile, tls: { ca: certificates.ca } },
      });
      await expectNothingLost(site, 1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
