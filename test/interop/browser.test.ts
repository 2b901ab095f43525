import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { connect, contentSections, encodeContent, type HashikeClient } from '../../src/client/index.ts';
import { requires } from '../support/requires.ts';
import { Rooms, ROOMS_TOKEN } from '../support/rooms.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { toolPath } from '../support/tools.ts';
import { until } from '../support/until.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const PATIENCE_MS = 20_000;
const COUNT = 400;

const describe = requires('chromium');

describe('a browser', () => {
  let rooms: Rooms;
  let profile = '';
  let browser: BrowserContext;
  const belongings: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    rooms = await Rooms.open();
    profile = mkdtempSync(join(tmpdir(), 'hashike-chromium-'));
    browser = await chromium.launchPersistentContext(profile, {
      executablePath: toolPath('chromium') ?? '',
      headless: true,
      args: FLAGS,
    });
  });

  afterAll(async () => {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
    await rooms[Symbol.asyncDispose]();
  });

  afterEach(async () => {
    for (const step of belongings.splice(0).toReversed()) await step();
  });

  async function opened(search = ''): Promise<Page> {
    const page = await browser.newPage();
    belongings.push(() => page.close());
    await page.goto(`${rooms.page}${search}`);
    return page;
  }

  async function native(name: string): Promise<HashikeClient> {
    const url = `hashike://127.0.0.1:${rooms.ports.tcp}`;
    const client = await connect({ url, token: ROOMS_TOKEN, clientName: name });
    belongings.push(() => client.close());
    return client;
  }

  const numbers = Array.from({ length: COUNT }, (_, index) => String(index));

  test('shares a room with a program', async () => {
    const page = await opened(`?ws=ws://127.0.0.1:${rooms.ports.webSocket}`);
    await page.fill('[name=name]', 'ann');
    await page.click('#door button');
    await page.waitForSelector('#mouth:not([hidden])');
    const bob = await native('bob');
    const lobby = await bob.subscribe('rooms/lobby');
    await bob.publish('rooms/lobby', contentOf('good morning'));
    await page.fill('[name=text]', 'hello <b>bob</b>');
    await page.click('#mouth button');
    await page.waitForSelector('#said li:nth-child(2)');
    expect(await page.locator('#said li').allTextContents()).toEqual([
      'bob: good morning',
      'ann: hello <b>bob</b>',
    ]);
    const first = await lobby.next();
    const second = await lobby.next();
    expect([first, second].map(({ value }) => value && [value.publisher, textOf(value.content)])).toEqual([
      ['person/bob', 'good morning'],
      ['person/ann', 'hello <b>bob</b>'],
    ]);
  });

  test('sees who is in its room, who comes and who leaves', async () => {
    const page = await opened(`?ws=ws://127.0.0.1:${rooms.ports.webSocket}`);
    await page.fill('[name=name]', 'ann');
    await page.fill('[name=room]', 'hall');
    await page.click('#door button');
    await page.waitForSelector('#people li:has-text("ann")');
    const bob = await native('bob');
    const watching = await bob.watch('rooms/hall');
    expect((await watching.next()).value).toMatchObject({ clientId: 'person/ann', joined: true });
    await bob.subscribe('rooms/hall');
    await page.waitForSelector('#people li:has-text("bob")');
    expect(await page.locator('#people li').allTextContents()).toEqual(['ann', 'bob']);
    await bob.close();
    await page.waitForSelector('#people li:has-text("bob")', { state: 'detached' });
    expect(await page.locator('#people li').allTextContents()).toEqual(['ann']);
  });

  test('is told what is wrong with a token or an address', async () => {
    const page = await opened(`?ws=ws://127.0.0.1:${rooms.ports.webSocket}`);
    await page.fill('[name=name]', 'eve');
    await page.fill('[name=token]', 'wrong');
    await page.click('#door button');
    await page.waitForSelector('#state:has-text("HSK-3101")');
    const codeOf = (url: string): Promise<unknown> =>
      page.evaluate(`import('hashike/client').then(({ connect }) => connect({ url: '${url}', token: 't' }))
        .then(() => 'connected', ({ code }) => code)`);
    expect(await codeOf('hashike://127.0.0.1:1')).toBe('HSK-3106');
    expect(await codeOf('127.0.0.1')).toBe('HSK-3106');
    expect(await codeOf('ws://127.0.0.1:1')).toBe('HSK-2103');
    expect(await codeOf(rooms.page.replace('http', 'ws'))).toBe('HSK-2103');
  });

  test('keeps reliable messages in order and single, in both directions, however often its connection is cut', async () => {
    const proxy = await TcpProxy.open(rooms.ports.webSocket);
    belongings.push(() => proxy.close());
    const page = await opened();
    await connected(page, proxy.port);
    const peer = await native('peer');
    const up = await peer.subscribe('rooms/up');
    const sending = page.evaluate(`(async () => {
      const pending = [];
      for (let index = 0; index < ${COUNT}; index += 1) {
        pending.push(say(String(index)));
        if (index % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await Promise.all(pending);
    })()`);
    const got: string[] = [];
    const reading = (async () => {
      for await (const { content } of up) if (got.push(textOf(content)) === COUNT) return;
    })();
    for (const text of numbers) {
      await peer.publish('rooms/down', contentOf(text));
      if (Number(text) % 100 === 50) proxy.cut();
    }
    await sending;
    await reading;
    await until(
      async () => Number(await page.evaluate('heard.length')) >= COUNT,
      PATIENCE_MS,
      'what was said to the page',
    );
    expect(got).toEqual(numbers);
    expect(await page.evaluate('heard')).toEqual(numbers);
  });

  test('goes on when the gateway was away, and sends what was said meanwhile', async () => {
    const page = await opened();
    await connected(page, rooms.ports.webSocket);
    await page.evaluate(`say('before')`);
    await rooms.gateway.stop('SIGTERM');
    await until(async () => (await page.evaluate('client.connected')) === false, PATIENCE_MS, 'the cut');
    await page.evaluate(
      `globalThis.later = Promise.all(['a', 'b', 'c'].map((text) => say(text, 'rooms/down'))), undefined`,
    );
    await rooms.gateway.start();
    await page.evaluate('later');
    const peer = await native('peer');
    await peer.publish('rooms/down', contentOf('welcome back'));
    await until(
      async () => Number(await page.evaluate('heard.length')) >= 4,
      PATIENCE_MS,
      'what was said and a welcome',
    );
    expect(await page.evaluate('heard')).toEqual(['a', 'b', 'c', 'welcome back']);
  });
});

/** Has the page connect as `client`, which can `say` a text and gathers in `heard` what comes to rooms/down. */
async function connected(page: Page, port: number): Promise<void> {
  await page.evaluate(`(async () => {
    const { connect, contentSections, encodeContent } = await import('hashike/client');
    const options = { url: 'ws://127.0.0.1:${port}', token: '${ROOMS_TOKEN}', clientName: 'page' };
    globalThis.client = await connect(options);
    globalThis.say = (text, topic = 'rooms/up') => client.publish(topic,
      encodeContent([{ contentType: 0x8000, value: new TextEncoder().encode(text) }]));
    globalThis.heard = [];
    const messages = await client.subscribe('rooms/down');
    (async () => {
      for await (const { content } of messages)
        heard.push(new TextDecoder().decode(contentSections(content)[0].value));
    })();
  })()`);
}

function textOf(content: Uint8Array): string {
  return contentSections(content)
    .map(({ value }) => new TextDecoder().decode(value))
    .join();
}

function contentOf(text: string): Uint8Array {
  return encodeContent([{ contentType: 0x8000, value: new TextEncoder().encode(text) }]);
}
