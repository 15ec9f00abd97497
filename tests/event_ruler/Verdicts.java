import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

import software.amazon.event.ruler.JsonRuleCompiler;
import software.amazon.event.ruler.Machine;
import software.amazon.event.ruler.MachineComplexityEvaluator;
import software.amazon.event.ruler.Patterns;
import software.amazon.event.ruler.RuleCompiler;

/** Reads lines of a pattern, a tab and an event; answers each with match, nomatch or invalid. */
public final class Verdicts {

    private static final int MAXIMUM_COMPLEXITY = 10;

    public static void main(final String[] arguments) throws Exception {
        final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            final int tab = line.indexOf('\t');
            out.println(verdict(line.substring(0, tab), line.substring(tab + 1)));
        }
        out.flush();
    }

    private static String verdict(final String pattern, final String event) {
        final Machine machine = new Machine();
        try {
            machine.addRule("pattern", pattern);
            for (final Map<String, List<Patterns>> branch : branches(pattern)) {
                final Machine alone = new Machine();
                alone.addPatternRule("branch", branch);
                final MachineComplexityEvaluator evaluator = new MachineComplexityEvaluator(MAXIMUM_COMPLEXITY + 1);
                if (alone.evaluateComplexity(evaluator) > MAXIMUM_COMPLEXITY) {
                    return "invalid";
                }
            }
        } catch (final Exception refused) {
            return "invalid";
        }
        try {
            return machine.rulesForJSONEvent(event).isEmpty() ? "nomatch" : "match";
        } catch (final Exception notAnEvent) {
            return "nomatch";
        }
    }

    // As Machine.addRule does: where the compiler that knows $or refuses, the one that does not is asked.
    private static List<Map<String, List<Patterns>>> branches(final String pattern) throws Exception {
        try {
            return JsonRuleCompiler.compile(pattern);
        } catch (final com.fasterxml.jackson.core.JsonParseException withOr) {
            return List.of(RuleCompiler.compile(pattern));
        }
    }
}
