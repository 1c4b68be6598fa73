//! What a transaction costs on Etherlink: execution as anywhere, and a share for its data.

use alloy::consensus::{Transaction as _, TxEnvelope};

/// The base fee, in wei a unit of gas: Etherlink's minimum, which is its normal price. A priority fee is ignored.
pub const BASE_FEE: u64 = 1_000_000_000;

/// Gas that execution alone may take in one transaction; the gas limit may be far higher for its data.
pub const EXECUTION_CAP: u64 = 30_000_000;

/// Wei for each byte of data.
const WEI_PER_BYTE: u64 = 4_000_000_000_000;
/// What a transaction is taken to weigh besides its data.
const ASSUMED_BYTES: u64 = 150;

/// Gas for data: `4e12 · (150 + calldata + Σ access list (20 + 32 · keys) + 125 · authorisations) / base fee`.
pub fn data_gas(calldata: usize, access_list_bytes: usize, authorisations: usize) -> u64 {
    let bytes = ASSUMED_BYTES
        .saturating_add(calldata as u64)
        .saturating_add(access_list_bytes as u64)
        .saturating_add((authorisations as u64).saturating_mul(125));
    bytes.saturating_mul(WEI_PER_BYTE).div_ceil(BASE_FEE)
}

/// [`data_gas`] of a transaction.
pub(super) fn data_gas_of(transaction: &TxEnvelope) -> u64 {
    let list = transaction.access_list().map_or(0, |list| {
        list.iter().map(|item| 20_usize.saturating_add(item.storage_keys.len().saturating_mul(32))).sum()
    });
    data_gas(transaction.input().len(), list, transaction.authorization_list().map_or(0, <[_]>::len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_transfer_costs_600_000_gas_for_its_data_and_a_byte_4_000() {
        assert_eq!(data_gas(0, 0, 0), 600_000);
        assert_eq!(data_gas(68, 0, 0), 872_000);
        assert_eq!(data_gas(0, 52, 1), 600_000 + 4_000 * 177);
    }
}
