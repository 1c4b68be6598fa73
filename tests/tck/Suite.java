import java.io.FileReader;
import java.util.HashMap;
import java.util.Properties;

import org.eclipse.dataspacetck.core.system.ConsoleMonitor;
import org.eclipse.dataspacetck.runtime.TckRuntime;

/**
 * Runs the suite with the properties of one file and prints each test as it ends, then what went wrong, then a line
 * "succeeded N, failed N, skipped N, found N". Whether that is enough is judged by the one who runs it.
 */
public class Suite {
    public static void main(String[] arguments) throws Exception {
        var read = new Properties();
        try (var file = new FileReader(arguments[0])) {
            read.load(file);
        }
        var properties = new HashMap<String, String>();
        properties.put("dataspacetck.launcher", "org.eclipse.dataspacetck.dsp.system.DspSystemLauncher");
        read.forEach((name, value) -> properties.put((String) name, (String) value));
        var part = arguments.length > 1 ? "." + arguments[1] : "";
        var summary = TckRuntime.Builder.newInstance()
                .properties(properties)
                .addPackage("org.eclipse.dataspacetck.dsp.verification" + part)
                .monitor(new ConsoleMonitor(false, false))
                .build()
                .execute();
        summary.getFailures().forEach(failure ->
                System.out.printf("failure: %s: %s%n", failure.getTestIdentifier().getDisplayName(), failure.getException()));
        System.out.printf("succeeded %d, failed %d, skipped %d, found %d%n",
                summary.getTestsSucceededCount(), summary.getTestsFailedCount(),
                summary.getTestsSkippedCount(), summary.getTestsFoundCount());
        // Its servers keep threads that do not end by themselves.
        System.exit(0);
    }
}
