/** A node of the syntax tree that oxc-parser gives, in the ESTree form. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** Visits `node` and everything below it, each with its parent and the name under which the parent holds it. */
export function walk(
  node: unknown,
  parent: Node | undefined,
  key: string,
  visit: (node: Node, parent: Node | undefined, key: string) => void,
): void {
  if (Array.isArray(node)) {
    for (const child of node) walk(child, parent, key, visit);
  } else if (isNode(node)) {
    visit(node, parent, key);
    for (const [name, child] of Object.entries(node)) walk(child, node, name, visit);
  }
}

/** A reference to another file. */
export interface Reference {
  /** As written; undefined where it is computed. */
  readonly specifier: string | undefined;
  /** The URL of a file, which a worker, a process or a reader of data gets; everything else shares the code of the module. */
  readonly byUrl: boolean;
}

/** What `node` refers to, if it is an import of any kind or the URL of a file. */
export function referenceOf(node: Node): Reference | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return isNode(node['source']) ? { specifier: pathOf(node['source']), byUrl: false } : undefined;
    case 'TSExternalModuleReference':
      return { specifier: pathOf(node['expression']), byUrl: false };
    case 'CallExpression':
      if (isNamed(node['callee'], 'require')) return { specifier: pathOf(firstArgument(node)), byUrl: false };
      return isNamed(node['callee'], 'import.meta.resolve')
        ? { specifier: pathOf(firstArgument(node)), byUrl: true }
        : undefined;
    case 'NewExpression':
      return isNamed(node['callee'], 'URL') && refersToImportMeta(node)
        ? { specifier: pathOf(firstArgument(node)), byUrl: true }
        : undefined;
    default:
      return undefined;
  }
}

/** The first argument of a call or of `new`. */
export function firstArgument(call: Node): unknown {
  return listOf(call['arguments'])[0];
}

function refersToImportMeta(call: Node): boolean {
  return isNamed(listOf(call['arguments'])[1], 'import.meta.url');
}

/** Whether `node` is the identifier or chain of members `name`. */
export function isNamed(node: unknown, name: string): boolean {
  return nameOf(node) === name;
}

/** The path in a string literal or template. The one hole it may have is the extension of this very file, `.ts` or as built `.js`. */
function pathOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'Literal') return typeof node['value'] === 'string' ? node['value'] : undefined;
  if (node.type !== 'TemplateLiteral') return undefined;
  const [hole, ...moreHoles] = listOf(node['expressions']);
  const [head = '', ...tail] = listOf(node['quasis']).map(cookedOf);
  if (hole === undefined) return head;
  return moreHoles.length === 0 && isOwnExtension(hole) ? `${head}.ts${tail.join('')}` : undefined;
}

function isOwnExtension(node: unknown): boolean {
  return (
    isNode(node) && isNamed(node['callee'], 'extname') && isNamed(firstArgument(node), 'import.meta.url')
  );
}

function cookedOf(quasi: unknown): string | undefined {
  const value = isNode(quasi) ? quasi['value'] : undefined;
  return typeof value === 'object' && value !== null && 'cooked' in value && typeof value.cooked === 'string'
    ? value.cooked
    : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** `a.b.c` of an identifier or a chain of members without computed names. */
export function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'Identifier' && typeof node['name'] === 'string') return node['name'];
  if (node.type === 'MetaProperty') return 'import.meta';
  if (node.type !== 'MemberExpression' || node['computed'] === true) return undefined;
  const object = nameOf(node['object']);
  const property = nameOf(node['property']);
  return object && property && `${object}.${property}`;
}
