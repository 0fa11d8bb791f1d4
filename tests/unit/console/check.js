// In the page, before the console's own script: does what a person does, and tells the test. Every word of `bad` is one too many.
const tell = (text) => fetch("/report", { method: "POST", body: text });
window.bad = (what) => tell(`bad ${what}`);
addEventListener("error", (event) => tell(`bad ${event.message}`));

const hostile = (what) =>
	`"'></pre></title><script>bad('script ${what}')</script><img src=/stolen onerror="bad('image ${what}')"><svg onload="bad('svg ${what}')">`;

async function until(what, holds) {
	for (const deadline = Date.now() + 30000; !holds();) {
		if (Date.now() > deadline) throw new Error(`${what}: ${document.body.innerHTML}`);
		await new Promise((resolve) => requestAnimationFrame(resolve));
	}
}

function same(what, found, expected) {
	if (found !== expected) throw new Error(`${what}: ${found} instead of ${expected}`);
}

const page = () => document.getElementById("page");
const links = () => [...page().querySelectorAll("a")];
const durationShown = () => page().querySelectorAll("tr")[2]?.lastChild.textContent;

async function refreshed() {
	const before = durationShown();
	await until("a refresh", () => durationShown() !== before);
}

async function visitExecutions() {
	await until("the list", () => links().length > 2);
	same("the execution's name", links()[0].textContent, hostile("name"));
	same("the workflow's name", page().querySelector("td:nth-child(2)").textContent, hostile("workflow"));
	const [projects, domains] = document.querySelectorAll("select");
	same("the projects' label", projects.getAttribute("aria-label"), "Project");
	same("a project", projects.options[1].textContent, hostile("project"));
	same("a domain", domains.options[1].textContent, hostile("domain"));
	// An open list is the same element after a refresh, and has the keyboard.
	projects.focus();
	await refreshed();
	same("the list that was open", document.activeElement, projects);
	links()[1].focus();
	const href = links()[1].getAttribute("href");
	await refreshed();
	same("the link that had the keyboard", document.activeElement.getAttribute?.("href"), href);
	links()[2].click();
	await until("older executions", () => location.search === "?token=50" && links().at(-1)?.textContent === "Newest");
	same("the keyboard", document.activeElement, page());
	links().at(-1).click();
	await until("the newest", () => links().at(-1)?.textContent === "Older");
}

async function visitExecution() {
	links()[0].click();
	await until("the execution", () => page().querySelector("h2"));
	const [error, inputs, outputs] = [...page().querySelectorAll("pre")].map((pre) => pre.textContent);
	same("the heading", page().querySelector("h1").textContent, hostile("name"));
	same("the error", error, hostile("error"));
	same("the inputs", JSON.parse(inputs)[hostile("variable")], hostile("value"));
	same("the outputs", JSON.parse(outputs).o[hostile("key")], hostile("value"));
	same("the node", page().querySelector("td").textContent, hostile("node"));
	const [problem, waits] = [...page().querySelectorAll("td.wide")].map((cell) => cell.textContent);
	same("the node's error and log", problem, `${hostile("node error")}kubectl logs -n flytesnacks-development ${hostile("pod")}`);
	same("what the other node waits for", waits, hostile("reason"));
	same("the keyboard", document.activeElement, page());
}

async function visitNode() {
	await until("the node", () => page().querySelector("strong"));
	same("the node of the address", page().querySelector("strong").textContent, "waiting ◂");
	same("the heading", page().querySelector("h1").textContent, hostile("name"));
}

async function visitNothing() {
	await until("the message", () => page().querySelector("pre"));
	same("the message", page().querySelector("pre").textContent, hostile("message"));
}

addEventListener("load", async () => {
	try {
		if (location.pathname === "/console/") {
			await visitExecutions();
			await visitExecution();
		} else if (location.pathname.includes("/nodeId/")) {
			await visitNode();
		} else {
			await visitNothing();
		}
		same("elements of others", document.querySelectorAll("main img, main svg, main script, header img, header svg, header script").length, 0);
		await tell("done");
	} catch (problem) {
		await tell(`bad ${problem.message}`);
	}
});
