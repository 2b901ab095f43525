import { expect, test } from 'vitest';
import { FilterTree } from '../../../src/topic/filter-tree.ts';

test('a value whose filters match several times is found once', () => {
  const tree = new FilterTree<string>();
  for (const filter of ['a/b', 'a/+', '+/b', 'a/#', '#']) tree.add(filter, 'x');
  tree.add('a/b', 'y');
  tree.add('c', 'z');
  expect([...tree.match('a/b')].sort()).toEqual(['x', 'y']);
});

test('a leading wildcard finds no topic that begins with $', () => {
  const tree = new FilterTree<string>();
  for (const filter of ['#', '+/a', '+/#', '$sys/+']) tree.add(filter, filter);
  expect(tree.match('$sys/a')).toEqual(['$sys/+']);
});

test('a filter in # finds its parent level', () => {
  const tree = new FilterTree<string>();
  tree.add('a/#', 'x');
  expect(tree.match('a')).toEqual(['x']);
  expect(tree.match('b')).toEqual([]);
});

test('removing one filter of a value leaves its others', () => {
  const tree = new FilterTree<string>();
  tree.add('a/+', 'x');
  tree.add('a/+/c', 'x');
  tree.add('a/+', 'y');
  expect(tree.remove('a/+', 'x')).toBe(true);
  expect(tree.match('a/b')).toEqual(['y']);
  expect(tree.match('a/b/c')).toEqual(['x']);
});

test('the version changes with what a match may find, and with nothing else', () => {
  const tree = new FilterTree<string>();
  expect([tree.add('a', 'x'), tree.version, tree.size]).toEqual([true, 1, 1]);
  expect([tree.add('a', 'x'), tree.version, tree.size]).toEqual([false, 1, 1]);
  expect([tree.remove('b', 'x'), tree.remove('b/+', 'x'), tree.remove('a', 'y'), tree.version]).toEqual([
    false,
    false,
    false,
    1,
  ]);
  tree.match('a');
  expect([tree.remove('a', 'x'), tree.version, tree.size]).toEqual([true, 2, 0]);
});
