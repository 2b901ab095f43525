/**
 * Writes the pages of docs/, and the tables of the dissector, that the code already says. With --check it writes nothing and fails when a page is not what it would
 * write.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationPage } from './lib-configuration-page.ts';
import { conformancePage } from './lib-conformance.ts';
import { dissector } from './lib-dissector-tables.ts';
import { errorsPage } from './lib-errors-page.ts';
import { repositoryRoot } from './lib-findings.ts';

const pages = [
  { page: 'docs/configuration.md', source: 'src/config/schema.ts', text: configurationPage() },
  { page: 'docs/conformance.md', source: 'the tests', text: conformancePage() },
  { page: 'docs/errors.md', source: 'src/base/errors.ts', text: errorsPage() },
  { page: 'scripts/hashike.lua', source: 'src/wire/numbers.ts', text: dissector() },
];

for (const { page, source, text } of pages) {
  const file = join(repositoryRoot, page);
  if (!process.argv.includes('--check')) {
    writeFileSync(file, text);
    console.log(`wrote ${page}`);
  } else if (currentText(file) === text) {
    console.log(`${page} is up to date with ${source}`);
  } else {
    console.error(`${page} is not up to date with ${source}. Run: node scripts/generate-docs.ts`);
    process.exitCode = 1;
  }
}

function currentText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // A page that is not there is a stale one.
    return undefined;
  }
}
