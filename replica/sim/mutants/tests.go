package main

// named is a test of a package.
type named struct{ pkg, test string }

// foundBy names, for mutants that no run of the simulator can be expected to show, the test that finds them: because what
// they break lies outside of it (threads, sockets, flags), or because it takes a coincidence that is not drawn.
var foundBy = map[string]named{
	"sends-without-bound":   {"./replica/paxos", "TestSlowFollowerIsSentWhatItsLinkCarries"},
	"steps-never-grow":      {"./replica/paxos", "TestFastAcceptorsAreSentAWindow"},
	"steps-never-shrink":    {"./replica/paxos", "TestFlowFollowsALinkThatBecomesSlow"},
	"patience-never-grows":  {"./replica/paxos", "TestFlowWaitsLongerInSilence"},
	"arrival-unseen":        {"./replica/paxos", "TestCatchUpPassesALargeBatch"},
	"fetch-asks-twice":      {"./replica/paxos", "TestFetchAsksForNothingTwice"},
	"fetch-what-may-arrive": {"./replica/paxos", "TestWhatMayArriveIsNotFetched"},
	"fetch-what-is-held":    {"./replica/paxos", "TestFetchAsksForNothingTwice"},
	"late-answer-dropped":   {"./replica/paxos", "TestLateAnswerIsUsed"},

	"part-asked-for-once":           {"./replica/paxos", "TestRule29LostPartIsAskedForAgain"},
	"no-progress-no-deadline":       {"./replica/paxos", "TestRule29CandidacyLastsAsLongAsItMakesProgress"},
	"pre-vote-beside-a-candidate":   {"./replica/paxos", "TestRule13CandidateThatLivesIsWaitedFor"},
	"rejoin-before-the-backlog":     {"./replica/paxos", "TestRule11RejoinWaitsForTheBacklog"},
	"impossible-slot-adopted":       {"./replica/paxos", "TestRule31PromiseOfImpossibleSlots"},
	"gap-in-a-promise":              {"./replica/paxos", "TestPromisePartsOfTwoAnswersMayNotLeaveAGap"},
	"more-ignored":                  {"./replica/paxos", "TestPromiseComesInPartsOfBoundedSize"},
	"own-outranks-adopted":          {"./replica/paxos", "TestRule1OwnAcceptanceIsOutranked"},
	"pre-vote-beside-a-leader":      {"./replica/paxos", "TestRule13NoPreVoteWhileALeaderIsHeard"},
	"new-before-the-backlog":        {"./replica/paxos", "TestBacklogIsPaced"},
	"volatile-vote-not-recorded":    {"./replica/journal", "TestVolatileVoteIsRecordedBeforeItIsAnswered"},
	"volatile-vote-recorded-or-not": {"./replica/journal", "TestVolatileVoteIsRecordedBeforeItIsAnswered"},
	"volatile-votes-forgiven":       {"./replica/journal", "TestAmnesiaIsOfVolatileVotes"},
	"rejoined-in-memory":            {"./replica/journal", "TestAmnesiaIsOfVolatileVotes"},
	"rejoin-beside-data":            {"./replica/journal", "TestFlagsBesideWholeData"},
	"none-over-data":                {"./replica/journal", "TestVolatileOverData"},
	"loss-accepted-for-ever":        {"./replica/journal", "TestAcceptLoss"},
	"repair-without-the-mark":       {"./replica/journal", "TestRepair"},
	"repair-not-continued":          {"./replica/journal", "TestRepairInterruptedEverywhere"},
	"repaired-directory-is-new":     {"./replica/journal", "TestFilesWithoutIdentity"},
	"identity-written-in-place":     {"./replica/journal", "TestInterruptedBootstrap"},
	"scratch-stays":                 {"./replica/journal", "TestScratchIsRemoved"},
	"met-bit-lost":                  {"./replica/journal", "TestMet"},
	"lease-lowered-at-once":         {"./replica/journal", "TestGrantedLease"},
	"divergence-not-kept":           {"./replica/journal", "TestDiverged"},

	"divergent-leader-stays":              {"./replica/node", "TestReplicaThatDiffersStops"},
	"divergence-without-majority-ignored": {"./replica/node", "TestWithoutAMajorityAllThatDifferStop"},
	"verdict-believed":                    {"./replica/node", "TestOldVerdictsAreHarmless"},
	"digest-of-a-slot-passed":             {"./replica/node", "TestDigestsAreOfTheirSlots"},
	"holds-more-and-goes-on":              {"./replica/paxos", "TestReplicaBeyondItsLeaderStops"},

	"answer-counts-for-the-next-round": {"./replica/paxos", "TestReadWaitsForARoundThatBeginsAfterIt"},
	"lease-from-its-end":               {"./replica/paxos", "TestRule29AnswersCountForEarlierRounds"},
	"only-the-newest-round-counts":     {"./replica/paxos", "TestRule29AnswersCountForEarlierRounds"},
	"one-answer-confirms":              {"./replica/paxos", "TestRoundIsConfirmedAsFarAsAQuorumHasAnswered"},
	"old-lease-forgotten":              {"./replica/paxos", "TestRule32RollingRestartFromLeases"},
	"old-lease-of-other-settings":      {"./replica/paxos", "TestRule32RollingRestartFromLeases"},
	"candidate-breaks-its-own-grant":   {"./replica/paxos", "TestRule32LeasesOutliveSettings"},
	"chunk-of-any-offset":              {"./replica/node", "TestStaleChunksAreNotTaken"},
	"older-snapshot-taken":             {"./replica/node", "TestStaleChunksAreNotTaken"},
	"old-news-of-no-snapshot":          {"./replica/node", "TestStaleChunksAreNotTaken"},
	"any-round-believed":               {"./replica/paxos", "TestRule31BallotsAdvanceByABoundedStep"},
	"released-before-next-slot":        {"./replica/storage", "TestJournalIsReleasedBehindADurableSlot"},
	"window-not-held":                  {"./replica/node", "TestGrantedWindowIsHeldTo"},
}
