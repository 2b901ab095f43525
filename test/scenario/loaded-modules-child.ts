/** Hashike as a program that leaves the URLs of the modules which its main thread loads, and the names of Node's own, in the file HASHIKE_TEST_MODULES. */
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const list = process.env['HASHIKE_TEST_MODULES'];
if (list === undefined) throw new Error('set HASHIKE_TEST_MODULES');

registerHooks({
  load(url, context, next) {
    appendFileSync(list, `${url}\n`);
    return next(url, context);
  },
});
process.on('exit', () => {
  const own: unknown = Reflect.get(process, 'moduleLoadList');
  if (!Array.isArray(own)) throw new Error('this Node does not list its own modules');
  appendFileSync(list, own.join('\n'));
});
await import('../../src/main.ts');
