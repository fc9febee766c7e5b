// The libraries are installed beside the examples.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const examples = createRequire(new URL('../../../examples/package.json', import.meta.url));

export const library = (name) => import(pathToFileURL(examples.resolve(name)));

// One question a line, {"do": NAME, …}, answered by what that function returns or by what it throws.
export async function answering(functions) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: name, ...given } = JSON.parse(line);
    let answer;
    try {
      answer = { done: (await functions[name](given)) ?? null };
    } catch (error) {
      answer = { failed: { message: String(error.message), code: error.code, error: error.error, cause: String(error.cause?.message ?? '') } };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}
