import java.net.URI;
import java.util.concurrent.TimeUnit;

import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsAsyncClientBuilder;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.leases.LeaseAssignmentStrategy;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * A KCL worker: prints `record SHARD SEQUENCE KEY DATA` for each record, and checkpoints after each batch of five.
 * Of a shard it prints `begins SHARD CHECKPOINT`, `leaves SHARD` when asked to, and `lost SHARD` when it is no longer
 * its own; `failed ERROR` is a checkpoint that was refused. Ends gracefully when its standard input does.
 *
 * usage: App KINESIS_URL DYNAMODB_URL STREAM APPLICATION WORKER
 */
public final class App {
    public static void main(String[] arguments) throws Exception {
        String stream = arguments[2];
        KinesisAsyncClient kinesis = at(KinesisAsyncClient.builder(), arguments[0]);
        DynamoDbAsyncClient dynamodb = at(DynamoDbAsyncClient.builder(), arguments[1]);
        CloudWatchAsyncClient cloudwatch = at(CloudWatchAsyncClient.builder(), arguments[1]); // never asked
        SingleStreamTracker tracker = new SingleStreamTracker(
                stream, InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON));
        ConfigsBuilder configs = new ConfigsBuilder(
                tracker, arguments[3], kinesis, dynamodb, cloudwatch, arguments[4], Printer::new);
        var leases = configs.leaseManagementConfig()
                .failoverTimeMillis(4_000)
                .leaseAssignmentIntervalMillis(1_000L)
                .shardSyncIntervalMillis(2_000) // on an empty table the first lease waits for it, too
                .leaseAssignmentStrategy(LeaseAssignmentStrategy.LEASE_COUNT_BASED) // CPU says little on a test machine
                .dynamoDbLockBasedLeaderHeartbeatPeriodInMillis(1_000)
                .dynamoDbLockBasedLeaderLeaseDurationInMillis(4_000);
        leases.workerUtilizationAwareAssignmentConfig()
                .disableWorkerMetrics(true) // they would ask the network what machine this is
                .workerMetricsReporterFreqInMillis(2_000) // twice this without news, and a worker is taken for gone
                .varianceBalancingFrequency(1);
        Scheduler scheduler = new Scheduler(
                configs.checkpointConfig(),
                configs.coordinatorConfig().shardConsumerDispatchPollIntervalMillis(100),
                leases,
                configs.lifecycleConfig(),
                configs.metricsConfig().metricsFactory(new NullMetricsFactory()),
                configs.processorConfig(),
                configs.retrievalConfig().retrievalSpecificConfig(
                        new PollingConfig(stream, kinesis).maxRecords(5).idleTimeBetweenReadsInMillis(250)));
        new Thread(scheduler).start();
        while (System.in.read() >= 0) { }
        scheduler.startGracefulShutdown().get(20, TimeUnit.SECONDS);
        System.exit(0);
    }

    private static <B extends AwsClientBuilder<B, C> & AwsAsyncClientBuilder<B, C>, C> C at(B builder, String url) {
        return builder.endpointOverride(URI.create(url))
                .region(Region.US_EAST_1)
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test")))
                .httpClientBuilder(NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP1_1))
                .build();
    }

    private static final class Printer implements ShardRecordProcessor {
        private String shard;

        @Override
        public void initialize(InitializationInput input) {
            shard = input.shardId();
            System.out.println("begins " + shard + " " + input.extendedSequenceNumber().sequenceNumber());
        }

        @Override
        public void processRecords(ProcessRecordsInput input) {
            for (var record : input.records()) {
                byte[] data = new byte[record.data().remaining()];
                record.data().get(data);
                System.out.println(String.join(
                        " ", "record", shard, record.sequenceNumber(), record.partitionKey(), new String(data)));
            }
            if (!input.records().isEmpty()) {
                checkpoint(input.checkpointer());
            }
        }

        @Override
        public void leaseLost(LeaseLostInput input) {
            System.out.println("lost " + shard);
        }

        @Override
        public void shardEnded(ShardEndedInput input) {
            checkpoint(input.checkpointer());
        }

        @Override
        public void shutdownRequested(ShutdownRequestedInput input) {
            checkpoint(input.checkpointer());
            System.out.println("leaves " + shard);
        }

        private static void checkpoint(RecordProcessorCheckpointer checkpointer) {
            try {
                checkpointer.checkpoint();
            } catch (Exception error) {
                System.out.println("failed " + error);
            }
        }
    }
}
